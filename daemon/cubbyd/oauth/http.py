"""The one way to a provider: TLS that is verified, no redirects, no patience without end, and nothing from ~/.netrc."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import requests


class Session(requests.Session):
    """A session that both vendors' libraries take; every request of theirs comes through here."""

    def __init__(self, ca_file: Path | None, timeout_seconds: float) -> None:
        """Trust the authority in `ca_file`, else those that the system trusts."""
        super().__init__()
        self.trust_env = False  # the environment could replace the authority, and .netrc add a password
        self.verify = str(ca_file) if ca_file else system_authorities()
        self._timeout_seconds = timeout_seconds

    def request(self, method: str, url: str, *arguments: Any, **more: Any) -> requests.Response:  # type: ignore[override]
        """Send a request. Raises requests.RequestException."""
        if not url.startswith("https://"):
            raise requests.exceptions.InvalidURL("a token is asked for by https alone")
        more |= {"timeout": self._timeout_seconds, "allow_redirects": False, "verify": self.verify}
        return super().request(method, url, *arguments, **more)


def system_authorities() -> str | bool:
    """Find whom the system trusts; else those that come with requests."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True
