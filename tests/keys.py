"""Keys and certificates for the tests."""

from __future__ import annotations

import datetime as dt
import subprocess
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """The key of all providers of one run: making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


@cache
def another_key() -> rsa.RSAPrivateKey:
    """The key of a client, which is not the provider's."""
    return rsa.generate_private_key(65537, 2048)


def private_file(file: Path, content: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(content)
    return file


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def make_certificate(key: rsa.RSAPrivateKey, days: int) -> str:
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cubbyd")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    made = builder.not_valid_after(now + dt.timedelta(days=days)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def make_server_certificate(folder: Path) -> None:
    if (folder / "provider.crt").exists():
        return
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(folder / "provider.key"), "-out", str(folder / "provider.crt")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
