"""Files inside the text of a mail: uuencode, yEnc and BinHex, from before there was MIME.

They are cut out, so that no letter salad reaches a classifier, and listed by the names that they give themselves. A text is
cut only where it keeps to the form line by line, so that a sentence that begins with "begin 100 days" stays.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from cubbyd.message.model import Attachment
from cubbyd.message.unicode import clean_line

MAX_FILES = 100
"""Files cut out of one text: as many as a mail's attachments are listed."""
MAX_NAME_CHARS = 255
"""Of a file's name, as file systems have it."""

CUT_SHORT = "file in the text without its end"

_BEGIN = re.compile(r"begin(?:-base64)? [0-7]{3,4} ([^\n]{1,255})$")
_UU_LINE = re.compile(r"[ -`]{1,90}$")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/=]{1,100}$")
_YENC_BEGIN = re.compile(r"=ybegin (?=[^\n]{0,200}\bline=\d)(?=[^\n]{0,200}\bsize=\d)[^\n]{1,200}?\bname=([^\n]{1,255})$")
_BINHEX_BEGIN = "(This file must be converted with BinHex"
_BINHEX_LETTERS = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BINHEX_LINE = re.compile(rf":?[{re.escape(_BINHEX_LETTERS)}]{{1,100}}:?$|:$")
_TO_BASE64 = str.maketrans(_BINHEX_LETTERS, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_TYPE_OF_YENC = "application/yenc"
_TYPE_OF_BINHEX = "application/mac-binhex40"
_TYPE_OF_UUENCODE = "application/octet-stream"


def cut_files(text: str) -> tuple[str, list[Attachment], list[str]]:
    """Cut encoded files out of a decoded text that is not yet normalized: the rest, the files, what was wrong."""
    if "begin" not in text and _BINHEX_BEGIN not in text:
        return text, [], []
    lines = text.splitlines()
    kept: list[str] = []
    files: list[Attachment] = []
    defects: list[str] = []
    position = 0
    while position < len(lines):
        found = _file_at(lines, position)
        if found is None:
            kept.append(lines[position])
            position += 1
            continue
        file, position, is_whole = found
        kept.append("")
        if len(files) < MAX_FILES:
            files.append(file)
        else:
            defects.append("too many attachments")
        if not is_whole:
            defects.append(CUT_SHORT)
    return ("\n".join(kept), files, list(dict.fromkeys(defects))) if files else (text, [], [])


def _file_at(lines: list[str], position: int) -> tuple[Attachment, int, bool] | None:
    """Find a file that begins at a line: it, the line after it, and whether its end is there."""
    line = lines[position]
    if line.startswith("begin"):
        return _uuencoded(lines, position)
    if line.startswith("=ybegin"):
        match = _YENC_BEGIN.match(line)
        return (_name(match[1], _TYPE_OF_YENC), *_skip_yenc(lines, position + 1)) if match else None
    if line.startswith(_BINHEX_BEGIN):
        return _binhex(lines, position + 1)
    return None


def _name(name: str, kind: str) -> Attachment:
    return Attachment(name=clean_line(name.strip().strip('"'))[:MAX_NAME_CHARS], content_type=kind)


def _uuencoded(lines: list[str], position: int) -> tuple[Attachment, int, bool] | None:
    match = _BEGIN.match(lines[position].rstrip())
    if not match:
        return None
    in_base64 = lines[position].startswith("begin-base64")
    is_data = _is_base64 if in_base64 else _is_uuencoded
    after = position + 1
    while after < len(lines) and is_data(lines[after]):
        after += 1
    end = "====" if in_base64 else "end"
    if not in_base64 and lines[after : after + 1] == [""] and lines[after + 1 : after + 2] == [end]:
        after += 1  # a line of no bytes, whose only blank was stripped
    is_whole = after < len(lines) and lines[after].rstrip() == end
    if after == position + 1 and not is_whole:
        return None
    return _name(match[1], _TYPE_OF_UUENCODE), after + is_whole, is_whole


def _is_uuencoded(line: str) -> bool:
    """Tell whether a line can be one of uuencode: its first letter counts the bytes, of which four letters hold three."""
    if not _UU_LINE.match(line):
        return False
    letters = (((ord(line[0]) - 32) % 64) + 2) // 3 * 4
    return letters // 2 <= len(line) - 1 <= letters + 4  # blanks at the end get lost, a checksum may follow


def _is_base64(line: str) -> bool:
    return bool(_BASE64_LINE.match(line)) and line != "===="


def _skip_yenc(lines: list[str], position: int) -> tuple[int, bool]:
    """Go to the line after =yend; yEnc is binary, so that nothing else tells its end."""
    for after in range(position, len(lines)):
        if lines[after].startswith("=yend"):
            return after + 1, True
    return len(lines), False


def _binhex(lines: list[str], position: int) -> tuple[Attachment, int, bool] | None:
    """Read the name out of a BinHex 4.0 file (RFC 1741, appendix A): its first byte counts the letters of the name."""
    while position < len(lines) and not lines[position].strip():
        position += 1
    if position >= len(lines) or not lines[position].startswith(":"):
        return None
    start, is_whole = position, False
    for line in _binhex_lines(lines, start):
        position += 1
        is_whole = line.endswith(":") and (len(line) > 1 or position > start + 1)
        if is_whole:
            break
    if position == start:
        return None
    letters = "".join(lines[start:position])[1:121].rstrip(":").translate(_TO_BASE64)
    data = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    name = data[1 : 1 + data[0]].decode("mac-roman") if data else ""
    return _name(name, _TYPE_OF_BINHEX), position, is_whole


def _binhex_lines(lines: list[str], start: int) -> Iterator[str]:
    for position in range(start, len(lines)):
        line = lines[position].strip()
        if not _BINHEX_LINE.match(line):
            return
        yield line
