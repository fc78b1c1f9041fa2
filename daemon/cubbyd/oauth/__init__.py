"""Tokens in the place of passwords: got from Microsoft or Google, refreshed ahead of time, kept in the state directory.

`provider` speaks of whom tokens come from; `microsoft` and `google` are the two there are, each by its vendor's own library,
loaded when a token is needed; `grant` is what a provider gives, `store` keeps it, and `source` hands tokens to the mailbox.
"""

from cubbyd.oauth.grant import Grant
from cubbyd.oauth.opening import open_provider, open_tokens
from cubbyd.oauth.provider import BrowserProvider, DeviceCode, DeviceProvider, Provider
from cubbyd.oauth.source import Tokens
from cubbyd.oauth.store import GrantStore

__all__ = [
    "BrowserProvider",
    "DeviceCode",
    "DeviceProvider",
    "Grant",
    "GrantStore",
    "Provider",
    "Tokens",
    "open_provider",
    "open_tokens",
]
