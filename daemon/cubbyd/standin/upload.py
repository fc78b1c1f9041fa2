"""Reads the body of an upload: multipart/form-data (RFC 7578), with nested keys spelled as in expires_after[seconds]."""

from __future__ import annotations

from email.message import Message
from email.parser import BytesHeaderParser
from typing import NamedTuple

from cubbyd.standin.endpoint import Body, Refused, put


class Upload(NamedTuple):
    """An uploaded file; a pair, as the SDK's type has it."""

    filename: str
    content: bytes


def read_form(content: bytes, content_type: str) -> Body:
    """Read the fields of a form; files become an Upload. Raises Refused."""
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or not boundary:
        raise Refused("Invalid Content-Type header. Expected one of: ['multipart/form-data'].")
    body: Body = {}
    for part in (b"\r\n" + content).split(b"\r\n--" + boundary.encode("latin-1"))[1:-1]:
        _add(body, part)
    return body


def _add(body: Body, part: bytes) -> None:
    raw, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    head = BytesHeaderParser().parsebytes(raw)
    key, filename = str(head.get_param("name", "", "content-disposition")), head.get_filename()
    put(body, key, value.decode("utf-8", "replace") if filename is None else Upload(filename, value))
