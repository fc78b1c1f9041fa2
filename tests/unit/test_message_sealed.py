"""Signed and encrypted mail: what is encrypted is said and flagged, what is only signed is read."""

from __future__ import annotations

import base64

import pytest

from cubbyd.message import Flag, parse
from cubbyd.message.sealed import Seal, open_pgp, open_signed

HEADER = b"From: Kelly <kelly@example.com>\nSubject: Test\nMIME-Version: 1.0\n"
INNER = b"Content-Type: text/plain; charset=utf-8\r\n\r\nWyatt is sick today.\r\n"
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")


def _tlv(tag: int, value: bytes) -> bytes:
    length = len(value)
    head = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2)
    return bytes([tag]) + head + value


def _signed(octets: bytes) -> bytes:
    inner = _tlv(0x30, DATA + _tlv(0xA0, octets))
    body = b"\x02\x01\x01" + _tlv(0x31, b"") + inner + _tlv(0x31, b"signature")
    return _tlv(0x30, SIGNED_DATA + _tlv(0xA0, _tlv(0x30, body)))


IN_PIECES = b"\x24\x80" + _tlv(0x04, INNER[:30]) + _tlv(0x04, INNER[30:]) + b"\x00\x00"


def _mail(envelope: bytes, parameters: str) -> bytes:
    return (
        HEADER
        + f'Content-Type: application/pkcs7-mime; name="smime.p7m"{parameters}\n'.encode()
        + b"Content-Disposition: attachment; filename=smime.p7m\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(envelope)
    )


@pytest.mark.parametrize("parameters", ["; smime-type=signed-data", ""], ids=["named", "told by its first bytes"])
@pytest.mark.parametrize(
    "octets", [_tlv(0x04, INNER), IN_PIECES, _tlv(0x24, _tlv(0x04, INNER))], ids=["whole", "BER", "pieces"]
)
def test_what_is_only_signed_is_read(octets: bytes, parameters: str) -> None:
    message = parse(_mail(_signed(octets), parameters))
    assert message.text == "Wyatt is sick today."
    assert (message.flags, message.attachments, message.defects) == (frozenset(), (), ())


@pytest.mark.parametrize("envelope", [_signed(_tlv(0x04, INNER))[:80], b"\x30\x03junk", _signed(b"\x24\x80\x04")])
def test_a_signed_envelope_that_cannot_be_read_is_said(envelope: bytes) -> None:
    message = parse(_mail(envelope, "; smime-type=signed-data"))
    assert message.text == ""
    assert "signed text that cannot be read" in message.defects


def test_no_envelope_is_read_beyond_its_end() -> None:
    whole = _signed(_tlv(0x04, INNER))
    for cut in range(len(whole)):
        assert open_signed(whole[:cut]) in (None, INNER)


@pytest.mark.parametrize("parameters", ["; smime-type=enveloped-data", ""])
def test_what_smime_encrypted_is_flagged_and_said(parameters: str) -> None:
    message = parse(_mail(_tlv(0x30, ENVELOPED_DATA + _tlv(0xA0, b"secret")), parameters))
    assert (message.text, message.flags) == ("", frozenset({Flag.ENCRYPTED}))
    assert message.defects == (Seal.SMIME.value,)
    assert [attachment.name for attachment in message.attachments] == ["smime.p7m"]


def test_a_clear_signed_mail_is_read_as_any_other() -> None:
    raw = (
        HEADER + b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=B\n\n--B\n\nWyatt is sick\n'
        b"--B\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nMIAG\n--B--"
    )
    message = parse(raw)
    assert (message.text, message.flags, message.attachments, message.defects) == ("Wyatt is sick", frozenset(), (), ())


def test_winmail_dat_is_said() -> None:
    message = parse(HEADER + b"Content-Type: application/ms-tnef; name=winmail.dat\n\nx")
    assert message.flags == {Flag.TNEF}
    assert message.defects == ("winmail.dat: its contents cannot be read",)


def test_pgp_mime_is_flagged_and_said() -> None:
    raw = (
        HEADER + b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=B\n\n--B\n'
        b"Content-Type: application/pgp-encrypted\n\nVersion: 1\n--B\n"
        b"Content-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n--B--"
    )
    message = parse(raw)
    assert (message.text, message.flags) == ("", frozenset({Flag.ENCRYPTED}))
    assert message.defects == (Seal.PGP.value,)


SIGNED_TEXT = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nWyatt is sick\n- -- \nKelly\n-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----\n"


def test_inline_pgp() -> None:
    sealed = "see below\n-----BEGIN PGP MESSAGE-----\n\nhF4\n-----END PGP MESSAGE-----\nand this"
    assert open_pgp(sealed) == ("see below\n\nand this", True)
    message = parse(HEADER + b"\n" + SIGNED_TEXT.encode())
    assert (message.text, message.signature, message.flags) == ("Wyatt is sick", "Kelly", frozenset())
    assert parse(HEADER + b"\nWhat does -----BEGIN PGP MESSAGE----- mean?").flags == frozenset()
