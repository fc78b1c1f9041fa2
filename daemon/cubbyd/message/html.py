"""HTML to lines of text: what a reader would see, with quoted mail marked by "> ".

The tree is Lexbor's (selectolax), walked without recursion, so that no depth of replies loses text. Lexbor's time is
quadratic in nesting and in the attributes of one tag; the guards before it bound both. Comments and the content of scripts
and styles are taken out by the same pass, so that the tags it sees are the tags that Lexbor sees. Links keep their text and
lose their address. What a mail program calls a signature goes below a line "--".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_SOURCE_CHARS = 1024 * 1024
"""Of HTML that is parsed; of 720 real bodies none was longer."""
MAX_TAGS = 20_000
"""Lexbor's time is quadratic in their nesting; of real bodies 1 % has more than 1,140."""
MAX_TAG_CHARS = 2_000
"""Of one tag; its time is quadratic in the attributes, too."""
MAX_NODES = 200_000
"""Of the tree that are walked: a parser may make more nodes of a source than it has tags."""
MAX_TEXT_CHARS = 400_000
"""Of the text that comes out; what splits it looks at 200,000."""
MAX_TELLING_ALT_CHARS = 120
"""Of a picture's description that counts as text; what is longer is padding."""
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
# Where a second document follows the first, Lexbor has nothing between the words of the two.
_DOCUMENT = frozenset(("html", "HTML", "body", "BODY"))

# Styles in lower case. Nothing of an element is seen that is gone. What only has no size, no visibility or no color hides the
# text below it until an element below says otherwise: newsletter builders give columns no size, and their text one again.
_GONE_STYLE = r"display\s*:\s*none|mso-hide\s*:\s*all|(?<![-\w])opacity\s*:\s*0(?:\.0+)?(?![.\d])"
_IS_GONE = re.compile(_GONE_STYLE)
_MAY_HIDE = re.compile(
    rf"{_GONE_STYLE}|visibility\s*:\s*(?:hidden|collapse)|font(?:-size)?\s*:\s*[01](?!\d)|(?<![-\w])color\s*:\s*transparent"
)
_NO_HEIGHT = re.compile(r"(?<![-\w])(?:max-)?height\s*:\s*0(?![.\d]*[1-9])")
_OVERFLOW = re.compile(r"overflow\s*:\s*hidden")
_NO_SIZE, _NO_VISIBILITY, _NO_COLOR = 1, 2, 4
_TINY = re.compile(r"0(?:\.0+)?(?![.\d])|(?:0?\.\d+|1(?:\.0+)?)p[xt]\b")
_VEILS = {
    "font-size": (_NO_SIZE, _TINY),
    "font": (_NO_SIZE, _TINY),
    "visibility": (_NO_VISIBILITY, re.compile(r"hidden|collapse")),
    "color": (_NO_COLOR, re.compile(r"transparent")),
}
_INHERITED = re.compile(r"inherit|unset|larger|smaller|[\d.]+(?:em|%)")
_INDENT = re.compile(
    r"border(?:-left)?\s*:\s*(?:none|0|medium none)|margin(?:-left)?\s*:[^;]{0,40}\b(?:40px|36(?:\.0)?pt|30px|0\.5in)",
    re.IGNORECASE,
)
_LEFT_LINE = re.compile(r"border(?:-left)?\s*:[^;]{0,60}(?:solid|dotted|dashed)", re.IGNORECASE)
_SIGNATURE_NAME = re.compile(r"(?:^|[\s_-])(?:x_)?signature(?:$|\s)|gmail_signature|moz-signature", re.IGNORECASE)
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
_LEAVING, _UNSEEN_BELOW = -1, -2


def html_to_text(html: str) -> str:
    """Give the visible text of an HTML body, a line for each block; text inside block quotes is marked with "> ".

    Never raises on any text. The result is not yet normalized.
    """
    return read_html(html, Allowance())[0]


@dataclass(slots=True)
class Allowance:
    """What may still be read of the HTML of one mail: many parts must not take the time of one each."""

    chars: int = MAX_SOURCE_CHARS
    tags: int = MAX_TAGS


def read_html(html: str, allowance: Allowance) -> tuple[str, bool]:
    """Give the visible text of an HTML body, and whether a limit has cut it; take what it costs off the allowance."""
    source, tags, is_cut = _guard(html[: allowance.chars], allowance.tags)
    is_cut = is_cut or len(html) > allowance.chars
    allowance.chars -= min(len(html), allowance.chars)
    allowance.tags -= tags
    # Lexbor takes UTF-8: lone surrogates, which UTF-7 can produce, have none.
    tree = LexborHTMLParser(source.encode("utf-8", "replace"))
    lines = _Lines(may_be_signed="ignature" in html or "SIGNATURE" in html)
    if tree.root:
        is_cut = _walk(tree.root, lines) or is_cut
    return "\n".join(lines.done), is_cut


def _guard(html: str, max_tags: int) -> tuple[str, int, bool]:
    """Take comments, raw elements and overlong tags out, and cut after max_tags; count the tags, tell whether it was cut."""
    pieces: list[str] = []
    position = tags = 0
    documents: set[str] = set()
    for match in _MARKUP.finditer(html):
        name = match["tag"]
        if name:
            if tags == max_tags:
                return "".join((*pieces, html[position : match.start()])), tags, True
            tags += 1
            if name not in documents and match.end() - match.start() <= MAX_TAG_CHARS:
                if name in _DOCUMENT:
                    documents.add(name)
                continue
            name = "br" if name in documents else name[:20]
        pieces += (html[position : match.start()], f"<{name}>" if name else _stand_in(match["raw"], match[0]))
        position = match.end()
    return "".join((*pieces, html[position:])) if pieces else html, tags, False


def _stand_in(raw: str | None, element: str) -> str:
    """Give what stands for a comment or a raw element: nothing, but for what a form was filled in with."""
    if not raw or raw.lower() != "textarea":
        return _NOTHING
    words = element.partition(">")[2].replace("<", "&lt;")
    return f"<pre>{words}</pre>"


@dataclass(slots=True)
class _Lines:
    """The text so far: finished lines, and the pieces of the one that grows."""

    done: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    quotes: int = 0
    preformatted: int = 0
    may_be_signed: bool = False
    """Some element may be called a signature."""

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

    def open_block(self, *, is_quote: bool, is_item: bool) -> None:
        """End the line, and begin what an element of its own line begins."""
        self.end()
        self.quotes += is_quote
        if is_item:
            self.add("- ")

    def mark_signature(self) -> None:
        """End the line, and draw the line above a signature, unless the sender has drawn it."""
        self.end()
        if not self.done or self.done[-1] not in ("--", "-- "):
            self.add("--")
            self.end()


def _walk(root: LexborNode, lines: _Lines) -> bool:
    """Gather the lines; tell whether a limit has cut them."""
    pending = [(root, 0)]  # a node, and what veils it: a sum of _NO_SIZE and the like, or that it is being left
    nodes = 0
    while pending and nodes < MAX_NODES and lines.size < MAX_TEXT_CHARS:
        node, veil = pending.pop()
        tag = node.tag or ""
        if veil == _LEAVING:
            _leave(node, tag, lines)
            continue
        nodes += 1
        if tag == _TEXT:
            text = node.text_content or ""
            if not veil or text.isspace():
                lines.add(text)
        elif node.is_element_node and (veil := _enter(node, tag, lines, veil)) != _UNSEEN_BELOW:
            pending.append((node, _LEAVING))
            child = node.last_child
            while child is not None:
                pending.append((child, veil))
                child = child.prev
    lines.end()
    return bool(pending)


def _enter(node: LexborNode, tag: str, lines: _Lines, veil: int) -> int:
    """Do what an element does before its children; give what veils them, or that they are not seen at all."""
    if tag in _UNSEEN:
        return _UNSEEN_BELOW
    attributes = node.attributes
    if attributes and (veil := _veil(attributes, veil)) == _UNSEEN_BELOW:
        return veil
    if tag == "br":
        lines.end(forced=True)
    elif tag == "img":
        if not veil & _NO_VISIBILITY and (words := _describe_picture(attributes)):
            lines.add(f" {words} ")
    elif tag in _BLOCKS:
        lines.open_block(is_quote=tag == "blockquote" and not _is_indented(attributes), is_item=tag == "li" and not veil)
    if lines.may_be_signed and attributes and not lines.quotes and _is_signature(attributes):
        lines.mark_signature()
    if _is_preformatted(tag, attributes):
        lines.preformatted += 1
    return veil


def _leave(node: LexborNode, tag: str, lines: _Lines) -> None:
    """Do what an element does after its children."""
    if tag in _BLOCKS:
        lines.end()
        if tag == "blockquote":
            lines.quotes -= not _is_indented(node.attributes)
    elif tag in _CELLS:
        lines.add(" ")
    if _is_preformatted(tag, node.attributes):
        lines.preformatted -= 1


def _is_preformatted(tag: str, attributes: dict[str, str | None]) -> bool:
    return tag == "pre" or bool(attributes and _PREFORMATTED.search(attributes.get("style") or ""))


def _describe_picture(attributes: dict[str, str | None]) -> str:
    """Give the words that stand for a picture; empty where they tell nothing."""
    alt = " ".join((attributes.get("alt") or "").split())
    is_telling = 3 <= len(alt) <= MAX_TELLING_ALT_CHARS and _TELLING_ALT.match(alt)  # noqa: PLR2004 - less is decoration
    return alt if is_telling and not _is_pixel(attributes) else ""


def _is_pixel(attributes: dict[str, str | None]) -> bool:
    """Tell whether a picture is one that only reports that the mail was opened."""
    return any((attributes.get(side) or "").strip().removesuffix("px") in ("0", "1") for side in ("width", "height"))


def _is_indented(attributes: dict[str, str | None]) -> bool:
    """Tell whether a block quote only moves text to the right, as "indent more" in Gmail and Outlook does."""
    if not attributes or "type" in attributes or "cite" in attributes or attributes.get("class"):
        return False
    style = attributes.get("style") or ""
    return bool(_INDENT.search(style)) and not _LEFT_LINE.search(style)


def _is_signature(attributes: dict[str, str | None]) -> bool:
    """Tell whether a mail program has put its user's signature here: Gmail, Thunderbird, Outlook on the web and on phones."""
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''} {attributes.get('data-smartmail') or ''}"
    return bool(_SIGNATURE_NAME.search(names))


def _veil(attributes: dict[str, str | None], veil: int) -> int:
    """Tell what veils the text of an element inside of what is veiled so; whether it is not seen at all."""
    if "hidden" in attributes:
        return _UNSEEN_BELOW
    style = attributes.get("style")
    if not style:
        return veil
    style = style.lower()
    may_hide = _MAY_HIDE.search(style)
    if may_hide and _IS_GONE.search(style):
        return _UNSEEN_BELOW
    if "overflow" in style and _OVERFLOW.search(style) and _NO_HEIGHT.search(style):
        return _UNSEEN_BELOW
    return _declare(style, veil) if may_hide or veil else veil


def _declare(style: str, veil: int) -> int:
    """Take the declarations of a style that hide text and those that show it again."""
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        bit, hiding = _VEILS.get(name.strip(), (0, _TINY))
        value = value.strip()
        if hiding.match(value):
            veil |= bit
        elif not _INHERITED.match(value):
            veil &= ~bit
    return veil
