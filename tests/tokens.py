"""A Dovecot that validates the tokens of a login provider of the tests by itself, with the provider's public key."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.dovecot import DOVECOT, MAILDIR, Dovecot
from tests.oauth import ISSUER, Provider


@contextmanager
def dovecot_with_tokens(provider: Provider) -> Iterator[Dovecot]:
    """Run a Dovecot that takes the provider's tokens beside passwords."""
    if DOVECOT is None:
        pytest.skip("no Dovecot on this machine: apt-get install dovecot-imapd")
    keys = Path(tempfile.mkdtemp(prefix="dk-", dir="/tmp"))
    try:
        with Dovecot(MAILDIR, extra=_token_passdb(keys, provider)) as running:
            yield running
    finally:
        shutil.rmtree(keys)


def _token_passdb(folder: Path, provider: Provider) -> str:
    """Configuration for a Dovecot that validates the provider's tokens by itself; `folder` must be readable to its users."""
    keys = folder / "keys" / "default" / "RS256"
    keys.mkdir(parents=True)
    (keys / "default").write_text(provider.public_key())
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o755 if one.is_dir() else 0o644)
    settings = folder / "oauth2.conf.ext"
    settings.write_text(
        f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={folder}/keys/\n"
        f"username_attribute = upn\nissuers = {ISSUER}\n"
    )
    settings.chmod(0o644)
    return (
        "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n"  # no waiting after refusals
        "auth_mechanisms = plain login xoauth2 oauthbearer\n"
        f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {settings}\n}}\n"
    )
