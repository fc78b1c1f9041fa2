"""A mail is known again wherever it lies, and no two are taken for one."""

from __future__ import annotations

import pytest

from cubbyd.message.identity import fingerprint

DATE = "06-Oct-2026 06:41:10 -0400"
HEADER = (
    b"Received: from a.example\r\n\tby b.example; Tue, 6 Oct 2026\r\n"
    b"From: Kelly <kelly@example.com>\r\nTo: office@littlecubby.example\r\nSubject: Naps\r\n"
    b"Date: Tue, 6 Oct 2026 06:41:08 -0400\r\nMessage-ID: <1@example.com>\r\nX-Spam: no\r\n\r\n"
)


@pytest.mark.parametrize(
    "other",
    [
        HEADER + b"Wyatt is sick\r\nSubject: not mine\r\n",
        HEADER.replace(b"\r\n", b"\n"),
        HEADER.removesuffix(b"\r\n"),
        HEADER.replace(b"Message-ID", b"MESSAGE-Id").replace(b"From:", b"FROM :"),
        HEADER.replace(b"\r\n\tby", b" by"),
        HEADER.replace(b"X-Spam: no\r\n", b"junk\r\nX-Other: yes\r\n folded\r\n"),
        b"Subject: Naps\r\n" + HEADER.replace(b"Subject: Naps\r\n", b""),
    ],
    ids=["whole mail", "LF", "no empty line", "case", "unfolded", "other fields", "other order"],
)
def test_the_same_mail_seen_otherwise(other: bytes) -> None:
    assert fingerprint(other, DATE) == fingerprint(HEADER, DATE)


@pytest.mark.parametrize("field", [b"a.example", b"kelly@", b"office@", b"Naps", b"06:41:08", b"<1@"])
def test_every_identifying_field_counts(field: bytes) -> None:
    assert fingerprint(HEADER.replace(field, b"other" + field), DATE) != fingerprint(HEADER, DATE)


def test_the_internal_date_counts() -> None:
    assert fingerprint(HEADER, "07-Oct-2026 06:41:10 -0400") != fingerprint(HEADER, DATE)


def test_a_field_cannot_pose_as_two() -> None:
    assert fingerprint(b"Subject: a\nFrom: b\n\n", "") != fingerprint(b"Subject: a from:b\n\n", "")


def test_any_bytes_have_a_fingerprint() -> None:
    prints = {fingerprint(raw, DATE) for raw in (b"", b"\n", b"\r\n\r\nSubject: body", b"junk", b"\xff\x00")}
    assert len(prints) == 1  # no header, and nothing else to know them by
    assert all(len(digest) == 64 for digest in prints)
    assert fingerprint(b"Subject: \xff\n\n", DATE) != fingerprint(b"Subject: \xfe\n\n", DATE)


def test_a_huge_header_is_cut_before_it_is_read() -> None:
    huge = b"Subject: Naps\n" + b"Received: x\n" * 100_000
    assert fingerprint(huge + b"\nbody", DATE) == fingerprint(huge, DATE) == fingerprint(huge[: 256 * 1024], DATE)
