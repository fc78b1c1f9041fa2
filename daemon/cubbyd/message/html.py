"""HTML to lines of text: what a reader would see, with quoted mail marked by "> ".

The tree is Lexbor's (selectolax), walked without recursion, so that no depth of replies loses text. Lexbor's time is
quadratic in nesting and in the attributes of one tag; the guards before it bound both: 1 MiB of source, 20,000 tags,
2,000 characters in one tag. Comments and the content of scripts and styles are taken out by the same pass, so that the tags
it sees are the tags that Lexbor sees. Links keep their text and lose their address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_SOURCE_CHARS = 1024 * 1024
MAX_TAGS = 20_000
MAX_TAG_CHARS = 2_000
MAX_NODES = 200_000
MAX_TEXT_CHARS = 400_000
QUOTE_MARK = "> "

# Where HTML's tokenizer (WHATWG HTML, 13.2.5) would see a tag, a comment, or an element whose content is no markup. Every
# repetition is possessive and whatever is left open runs to the end, as it does in a browser: the time is linear.
_MARKUP = re.compile(
    r"""<(?:
      !--(?:>|->|(?:[^-]++|-(?!->))*+(?:-->|\Z))
    | (?P<raw>script|style|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])[^<]*+(?:<(?!/(?P=raw))[^<]*+)*+
    | (?P<other>[!?]|/(?=[^A-Za-z]))[^>]*+>?
    | (?P<tag>/?[A-Za-z][^\s/>]*+)(?:[\s/]++|=?[^\s/>=]++(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+)?)?|=)*+>?
    )""",
    re.VERBOSE | re.IGNORECASE,
)
# Stands for what is taken out: an element without content, so that the letters around it form no new markup.
_NOTHING = "<wbr>"

_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all|(?<![-\w])opacity\s*:\s*0(?:\.0+)?(?![.\d])"
    r"|font-size\s*:\s*0(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:[;!]|$)|(?<![-\w])color\s*:\s*transparent",
    re.IGNORECASE,
)
_NO_HEIGHT = re.compile(r"max-height\s*:\s*0(?![.\d]*[1-9])", re.IGNORECASE)
_OVERFLOW = re.compile(r"overflow\s*:\s*hidden", re.IGNORECASE)
_PREFORMATTED = re.compile(r"white-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
_TELLING_ALT = re.compile(r"(?=.*[^\W\d_]{2})(?!.*(?:://|\.(?:png|jpe?g|gif|svg|webp)\b))", re.IGNORECASE)

_BLOCKS = frozenset(
    (
        *("html", "body", "header", "footer", "main", "nav", "section", "article", "aside", "address", "hgroup"),
        *("div", "p", "pre", "center", "blockquote", "hr", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("ul", "ol", "li", "dl", "dt", "dd", "dir", "menu", "details", "summary", "dialog", "figure", "figcaption"),
        *("table", "caption", "thead", "tbody", "tfoot", "tr", "form", "fieldset", "legend"),
    )
)
_CELLS = frozenset(("td", "th"))
_UNSEEN = frozenset(
    (
        *("head", "script", "style", "title", "template", "select", "option", "datalist", "input"),
        *("object", "audio", "video", "canvas", "map", "svg", "math"),
    )
)
_TEXT = "-text"


def html_to_text(html: str) -> str:
    """Give the visible text of an HTML body, a line for each block; text inside block quotes is marked with "> ".

    Never raises on any text. The result is not yet normalized.
    """
    # Lexbor takes UTF-8: lone surrogates, which UTF-7 can produce, have none.
    tree = LexborHTMLParser(_guard(html[:MAX_SOURCE_CHARS]).encode("utf-8", "replace"))
    return _walk(tree.root) if tree.root else ""


def _guard(html: str) -> str:
    """Take comments, raw elements and overlong tags out, and cut after MAX_TAGS."""
    pieces: list[str] = []
    position = tags = 0
    for match in _MARKUP.finditer(html):
        name = match["tag"]
        if name:
            tags += 1
            if tags > MAX_TAGS:
                return "".join((*pieces, html[position : match.start()]))
            if match.end() - match.start() <= MAX_TAG_CHARS:
                continue
            name = name[:20]
        pieces += (html[position : match.start()], f"<{name}>" if name else _NOTHING)
        position = match.end()
    return "".join((*pieces, html[position:])) if pieces else html


@dataclass(slots=True)
class _Lines:
    """The text so far: finished lines, and the pieces of the one that grows."""

    done: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    quotes: int = 0
    preformatted: int = 0

    def add(self, text: str) -> None:
        """Add a text node; runs of blanks are one blank unless preformatted."""
        if self.preformatted:
            first, *others = text.split("\n")
            self._append(first)
            for line in others:
                self.end(forced=True)
                self._append(line)
            return
        words = " ".join(text.split())
        if words:
            self._append(f"{' ' if text[0].isspace() else ''}{words}{' ' if text[-1].isspace() else ''}")
        else:
            self._append(" ")

    def _append(self, text: str) -> None:
        self.pieces.append(text)
        self.size += len(text) + 1

    def end(self, *, forced: bool = False) -> None:
        """End the line; an empty one is kept only if forced, as a break forces it."""
        line = "".join(self.pieces).strip()
        self.pieces.clear()
        if line or forced:
            self.done.append(f"{QUOTE_MARK}{line}" if self.quotes else line)
            self.size += 1


def _walk(root: LexborNode) -> str:
    lines = _Lines()
    pending: list[tuple[LexborNode, bool]] = [(root, False)]  # a node, and whether it is being left
    nodes = 0
    while pending and nodes < MAX_NODES and lines.size < MAX_TEXT_CHARS:
        node, leaving = pending.pop()
        tag = node.tag or ""
        if leaving:
            _leave(node, tag, lines)
            continue
        nodes += 1
        if tag == _TEXT:
            lines.add(node.text_content or "")
        elif node.is_element_node and _enter(node, tag, lines):
            pending.append((node, True))
            child = node.last_child
            while child is not None:
                pending.append((child, False))
                child = child.prev
    lines.end()
    return "\n".join(lines.done)


def _enter(node: LexborNode, tag: str, lines: _Lines) -> bool:
    """Do what an element does before its children; False where they are not seen."""
    if tag in _UNSEEN:
        return False
    attributes = node.attributes
    if attributes and _is_hidden(attributes):
        return False
    if tag == "br":
        lines.end(forced=True)
    elif tag == "img":
        alt = " ".join((attributes.get("alt") or "").split())
        if 3 <= len(alt) <= 120 and _TELLING_ALT.match(alt):  # noqa: PLR2004 - shorter is decoration, longer is padding
            lines.add(f" {alt} ")
    elif tag in _BLOCKS:
        lines.end()
        if tag == "li":
            lines.add("- ")
        elif tag == "blockquote":
            lines.quotes += 1
    if _is_preformatted(tag, attributes):
        lines.preformatted += 1
    return True


def _leave(node: LexborNode, tag: str, lines: _Lines) -> None:
    """Do what an element does after its children."""
    if tag in _BLOCKS:
        lines.end()
        if tag == "blockquote":
            lines.quotes -= 1
    elif tag in _CELLS:
        lines.add(" ")
    if _is_preformatted(tag, node.attributes):
        lines.preformatted -= 1


def _is_preformatted(tag: str, attributes: dict[str, str | None]) -> bool:
    return tag == "pre" or bool(attributes and _PREFORMATTED.search(attributes.get("style") or ""))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    if not style:
        return False
    return bool(_HIDDEN.search(style) or (_NO_HEIGHT.search(style) and _OVERFLOW.search(style)))
