"""The heartbeat: an address outside is called while mail is filed, so that somebody notices when this machine is dead.

A thread of its own looks once a minute whether a pass has gone through since the last call, and calls only while
`cubbyd status --check` finds nothing that has stopped. A call that fails is a line in the log; the next minute tries again.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr

from cubbyd import __version__
from cubbyd.clock import Clock
from cubbyd.config.learned import LEARNED
from cubbyd.service.lookout import Survey

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.service")

SECONDS_BETWEEN: Final = 60.0
CALL_SECONDS: Final = 10.0
"""For the connection, and for each step of the call after it."""
LOOK_SECONDS: Final = 5.0


def call(url: SecretStr, seconds: float = CALL_SECONDS) -> str:
    """GET an address over verified TLS; give what went wrong, without the address, or nothing. Never raises.

    A redirection is not followed: it is an answer other than 2xx.
    """
    parts = urlsplit(url.get_secret_value())
    host, path = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        connection = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"User-Agent": f"cubbyd/{__version__}"})
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return f"the certificate is not trusted: {error.verify_message}"
    except http.client.HTTPException as error:
        return f"the answer could not be read ({type(error).__name__})"
    except OSError as error:
        return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
    finally:
        connection.close()
    return "" if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else f"the answer was {status}"


class Heart:
    """Decides when to call; used by one thread."""

    def __init__(self, survey: Callable[[], Survey], clock: Clock, call: Callable[[], str]) -> None:
        """Take where to look, and how to call."""
        self._survey, self._clock, self._call = survey, clock, call
        self._called_at: float | None = None
        self._last_sign: datetime | None = None
        self._fault = ""

    def beat(self) -> bool:
        """Call where it is time and there is something new that is good; tell whether it was tried."""
        now = self._clock.monotonic()
        if self._called_at is not None and now - self._called_at < SECONDS_BETWEEN:
            return False
        survey = self._survey()
        if not is_beating(survey) or survey.last_sign in (None, self._last_sign):
            return False
        self._called_at = now
        fault = self._call()
        if fault and fault != self._fault:
            log.warning("the heartbeat was not taken", reason=fault)
        elif self._fault and not fault:
            log.info("the heartbeat is taken again")
        self._fault = fault
        if not fault:
            self._last_sign = survey.last_sign
        return True


def is_beating(survey: Survey) -> bool:
    """Tell whether filing goes on in every mailbox; a single mail that waits is no matter of life."""
    troubles = [sight.view.trouble for sight in survey.sights]
    return survey.error is None and not any(trouble and trouble.has_stopped for trouble in troubles)


class Heartbeat:
    """Beats in a thread of its own until it is stopped."""

    def __init__(self, url: SecretStr, survey: Callable[[], Survey], clock: Clock) -> None:
        """Begin."""
        LEARNED.learn(url)
        self._heart = Heart(survey, clock, lambda: call(url))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._heart.beat()

    def stop(self) -> None:
        """Beat no more; a call under way is left to its time limit, and nobody waits for it."""
        self._stopping.set()
