"""What mail programs put into plain text for links and pictures: "form<https://forms.example/a>", "[cid:image001.png@01D9]".

The HTML twin of the same mail keeps the words of a link and loses its address; so does this, that one mail reads alike in
both, and that tracking codes of 200 letters do not fill what a classifier is given. An address that stands alone stays.
"""

from __future__ import annotations

import re

# Possessive, and none goes beyond the sign that begins the next: the time is linear.
_PICTURE = re.compile(r"\[(?:cid:[^\[\]\s]{1,300}+|(https?://[^\[\]\s]{1,1300}+))\]")
_PICTURE_NAME = re.compile(r"\.(?:png|jpe?g|gif|svg|webp)\b", re.IGNORECASE)
_LINK = re.compile(r"(?<=[\w\])\"'.!?:*])<(?:https?|tel):[^<>\s]{1,3000}+>")
_MAILTO = re.compile(r"<mailto:([^<>\s?]{1,320}+)[^<>\s]{0,300}+>")


def drop_link_targets(text: str) -> str:
    """Leave the words of links and take their targets away. Linear; quick where there are none."""
    if "[cid:" in text or "[http" in text:
        text = _PICTURE.sub(_keep_link, text)
    if "<http" in text or "<tel:" in text:
        text = _LINK.sub("", text)
    if "<mailto:" in text:
        text = _MAILTO.sub(_keep_address, text)
    return text


def _keep_link(match: re.Match[str]) -> str:
    return match[0] if match[1] and not _PICTURE_NAME.search(match[1]) else ""


def _keep_address(match: re.Match[str]) -> str:
    """Leave an address that is not what its words say: "Dana<mailto:dana@x.example>"."""
    target = match[1]
    before = match.string[max(0, match.start() - len(target)) : match.start()]
    return "" if before.lower() == target.lower() else f" <{target}>"
