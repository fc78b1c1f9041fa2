"""Text of a mail that looks like a marker of ours: a placeholder for a name, a tag of a prompt.

Masked text carries placeholders ("[CHILD_1]"), and what a language model is given frames the mail with tags. A mail that
writes such things itself must not be taken for either, so they are put into round brackets: every word stays readable.
What comes out holds no such marker, so that doing it twice changes nothing.
"""

from __future__ import annotations

import re

# Square brackets, letters, digits and the underscore also in their full-width forms (U+FF00), which look the same.
_PLACEHOLDER = re.compile(
    r"[\[\uff3b]\s?([A-Z\uff21-\uff3a]{2,12}[_\uff3f][0-9\uff10-\uff19]{1,4})\s?[\]\uff3d]",
)
_TAG = re.compile(r"<\s?(/?)\s?(mail|quoted)\s?/?\s?[>\uff1e]", re.IGNORECASE)
_WIDE_TAG = re.compile(_TAG.pattern.replace("<", "\uff1c", 1), re.IGNORECASE)
# Of chat templates, "<|im_start|>": the two halves are taken one by one, so that no nesting leaves a whole one.
_WIDE_HALVES = ("\uff1c", "\uff1e", "\uff5c")
_TEMPLATE = re.compile(r"[<\uff1c][|\uff5c]|[|\uff5c][>\uff1e]")


def neutralize(text: str) -> str:
    """Put what imitates our markers into round brackets. Idempotent; linear; quick where there is none."""
    if ("[" in text and "_" in text) or "\uff3b" in text or "\uff3f" in text:
        text = _PLACEHOLDER.sub(r"(\1)", text)
    if "<" in text:
        text = _TAG.sub(r"(\1\2)", text)
    if "\uff1c" in text:
        text = _WIDE_TAG.sub(r"(\1\2)", text)
    if "<|" in text or "|>" in text or (not text.isascii() and any(half in text for half in _WIDE_HALVES)):
        text = _TEMPLATE.sub(lambda match: ")" if match[0][-1] in ">\uff1e" else "(", text)
    return text
