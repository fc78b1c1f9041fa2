"""What watches the daemon from inside, where that is configured: the web server with the metrics, and the heartbeat.

None of it can stop the filing: an address that cannot be had is a line in the log, and is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import SecretStr

from cubbyd.clock import Clock
from cubbyd.config import Config
from cubbyd.service.heartbeat import Heartbeat
from cubbyd.service.lookout import Lookout
from cubbyd.service.observer import Nobody, Observer

if TYPE_CHECKING:
    from cubbyd.service.meter import Meter
    from cubbyd.service.web import WebServer

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

RETRY_SECONDS: Final = 60.0


class Monitor:
    """Lives as long as the daemon, and follows its configuration; used by the main thread."""

    def __init__(self, config: Config, clock: Clock, expiries: Callable[[], Mapping[str, datetime]] | None = None) -> None:
        """Watch nothing yet. `expiries` gives, by mailbox, when a login ends that is known to end."""
        self._clock, self._expiries = clock, expiries
        self._lookout = Lookout(config, clock)
        self._meter: Meter | None = None
        self._web: WebServer | None = None
        self._listening = ""
        self._try_at = clock.monotonic()
        self._heartbeat: Heartbeat | None = None
        self._url = SecretStr("")

    @property
    def observer(self) -> Observer:
        """Who is to be told what happens."""
        return self._meter or Nobody()

    def serve(self, config: Config) -> None:
        """Watch the mailboxes of a configuration, in the ways that it names."""
        self._lookout.turn_to(config)
        if config.metrics.listen and self._meter is None:
            from cubbyd.service.meter import Meter

            self._meter = Meter(self._lookout, self._clock, self._expiries)
        elif self._meter is not None:
            self._meter.serve(config)
        self.observer.reloaded(is_in_force=True)
        if config.metrics.listen != self._listening:
            self._hang_up()
            self._listening, self._try_at = config.metrics.listen, self._clock.monotonic()
        self.keep_up()
        if config.heartbeat.url != self._url:
            self._quiet()
            self._url = config.heartbeat.url
            if self._url.get_secret_value():
                self._heartbeat = Heartbeat(self._url, self._lookout.survey, self._clock)

    def keep_up(self) -> None:
        """Listen where that is wanted and has not succeeded yet."""
        if not self._listening or self._web is not None or self._meter is None or self._clock.monotonic() < self._try_at:
            return
        from cubbyd.service.web import WebServer

        try:
            self._web = WebServer(*self._lookout.config.metrics.address, self._lookout, self._meter)
        except OSError as error:
            self._try_at = self._clock.monotonic() + RETRY_SECONDS
            reason = f"metrics.listen = {self._listening}: {error.strerror}; choose another address, or end who has it"
            log.error("no metrics and no /healthz for now; mail is filed all the same", reason=reason)
        else:
            log.info("metrics and /healthz are served", address=self._listening)

    def refused(self) -> None:
        """Take note that a new configuration is wrong and the old one stays in force."""
        self.observer.reloaded(is_in_force=False)

    def stop(self) -> None:
        """Watch no more."""
        self._hang_up()
        self._quiet()

    def _hang_up(self) -> None:
        web, self._web = self._web, None
        if web is not None:
            web.close()

    def _quiet(self) -> None:
        heartbeat, self._heartbeat = self._heartbeat, None
        if heartbeat is not None:
            heartbeat.stop()
