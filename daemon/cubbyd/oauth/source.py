"""Hands tokens to the mailbox: the one at hand while it is good, else a new one, which is on the disk before it is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from pydantic import SecretStr

from cubbyd.clock import Clock, SystemClock
from cubbyd.config.learned import LEARNED
from cubbyd.errors import LoginEnded, MailboxUnavailable
from cubbyd.oauth.grant import Grant
from cubbyd.oauth.provider import Provider
from cubbyd.oauth.store import GrantStore

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.oauth")


class Tokens:
    """The tokens of one mailbox; threads may share it, and processes share its store."""

    def __init__(self, mailbox: str, provider: Provider, store: GrantStore, clock: Clock | None = None) -> None:
        """Nothing is read and nobody is asked before a token is needed. Where no person is needed, nothing is kept either."""
        self.provider = provider
        self._mailbox, self._store = mailbox, store
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._is_unsaved = False
        self._refused: SecretStr | None = None
        """A refresh token that the provider takes no more: it is not asked again before somebody has logged in."""

    def token(self) -> SecretStr:
        """Give a token that is good for five minutes or more. Raises LoginEnded, LoginRefused, MailboxUnavailable."""
        with self._turn() as grant:
            if grant is not None and grant.is_fresh(self._clock.now()):
                return grant.access_token
            return self._renew(grant).access_token

    def renew(self, refused: SecretStr) -> SecretStr:
        """Give another token than the one that the server has just refused. Raises as token() does."""
        with self._turn() as grant:
            if grant is not None and grant.access_token != refused and grant.is_fresh(self._clock.now()):
                return grant.access_token  # another thread, or another process, was quicker
            return self._renew(grant).access_token

    def adopt(self, grant: Grant) -> None:
        """Keep what a person was given who has just logged in. Raises MailboxUnavailable where it cannot be written."""
        with self._turn(reads=False):
            self._take(grant)
            self._is_unsaved = True
            self._store.save(grant)
            self._is_unsaved = False

    @property
    def expires_at(self) -> datetime | None:
        """When the token at hand ends; None before the first one."""
        return self._grant.expires_at if self._grant else None

    @property
    def credential_ends_at(self) -> datetime | None:
        """When this login ends for good and a person has to act: a certificate, or a login of limited time; None if unknown."""
        known = (self.provider.credential_ends_at, self._grant.ends_at if self._grant else None)
        return min((moment for moment in known if moment), default=None)

    @contextmanager
    def _turn(self, *, reads: bool = True) -> Iterator[Grant | None]:
        """Take our turn among threads and processes; what another one has written meanwhile counts."""
        with self._lock:
            if not self.provider.needs_person:
                yield self._grant
                return
            with self._store.locked():
                if reads and not self._is_unsaved:
                    self._take(self._store.load())
                yield self._grant

    def _take(self, grant: Grant | None) -> None:
        """Serve this one from now on, and keep it out of the log."""
        self._grant = grant
        for secret in (grant.access_token, grant.refresh_token) if grant else ():
            if secret is not None:
                LEARNED.learn(secret, is_passing=True)

    def _renew(self, grant: Grant | None) -> Grant:
        """Ask the provider, and write down what it gives. The disk may be full: then the token serves from memory."""
        if self.provider.needs_person:
            self._refuse_hopeless(grant)
        try:
            fresh = self.provider.renew(grant)
        except LoginEnded:
            self._refused = grant.refresh_token if grant else None
            raise
        self._take(fresh)
        if self.provider.needs_person:
            self._keep(fresh)
        log.info("token renewed", mailbox=self._mailbox, provider=self.provider.host, expires=fresh.expires_at.isoformat())
        return fresh

    def _refuse_hopeless(self, grant: Grant | None) -> None:
        if grant is None or grant.refresh_token is None:
            raise LoginEnded(f"mailbox {self._mailbox}: nobody has logged in yet; run: cubbyd login {self._mailbox}")
        if grant.refresh_token == self._refused:
            reason = f"{self.provider.host} takes this login no more; run: cubbyd login {self._mailbox}"
            raise LoginEnded(f"mailbox {self._mailbox}: {reason}")

    def _keep(self, grant: Grant) -> None:
        self._is_unsaved = True
        try:
            self._store.save(grant)
        except MailboxUnavailable as error:
            log.error("token not kept", mailbox=self._mailbox, error=str(error))
        else:
            self._is_unsaved = False
