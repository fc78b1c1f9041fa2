"""The connection to a hosted classifier, through the vendor's SDK, held on a short leash.

What the SDK would do by itself is off: it retries nothing, follows no redirect, and is obeyed by no environment variable.
All that it sends goes through one gate, which knows a single address, sets the headers anew, and reads no endless answer. A
call ends when its time is up, however slowly the server drips.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import httpx2
import openai
import structlog
from pydantic import SecretStr

from cubbyd import __version__
from cubbyd.classify.hosted.answer import Reply
from cubbyd.classify.hosted.failure import Event, Failure, Symptom
from cubbyd.config import OpenAISection
from cubbyd.config.hosted import KeyHeader

Read = TypeVar("Read")

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")

CONNECT_SECONDS: Final = 5.0
LARGEST_ANSWER: Final = 4 * 1024 * 1024
GRACE_SECONDS: Final = 5.0
LONGEST_RETRY_AFTER: Final = 86_400.0

_MULTIPART: Final = re.compile(r"multipart/form-data; boundary=[A-Za-z0-9'()+_,./:=?-]{1,70}")
_PAGED: Final = re.compile(
    rb"(?:after=[A-Za-z0-9_-]{1,100}|limit=[0-9]{1,3})(?:&(?:after=[A-Za-z0-9_-]{1,100}|limit=[0-9]{1,3}))?"
)

_CHATTY: Final = ("openai", "httpx2", "httpcore2")
"""They log addresses and headers; OPENAI_LOG=debug would make the SDK do so unasked."""


class Gate(httpx2.AsyncBaseTransport):
    """The only way out: to one address, with our own headers."""

    def __init__(
        self, section: OpenAISection, key: SecretStr, transport: httpx2.AsyncBaseTransport, *, has_files: bool = False
    ) -> None:
        """Take the address, the key, and what carries the bytes; with `has_files` uploads and pages of lists pass too."""
        self._has_files = has_files
        self._base = urlsplit(section.base_url)
        self._inner = transport
        is_azure = section.key_header is KeyHeader.API_KEY
        self._query = f"api-version={section.api_version}".encode() if section.api_version else b""
        self._headers = {
            str(section.key_header): key.get_secret_value() if is_azure else f"Bearer {key.get_secret_value()}",
            "user-agent": f"cubbyd/{__version__}",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if section.organization:
            self._headers["openai-organization"] = section.organization
        if section.project:
            self._headers["openai-project"] = section.project

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the one address, and cut an answer that is too long."""
        url, base = request.url, self._base
        here = (url.scheme, url.host, url.port) == (base.scheme, base.hostname, base.port)
        if not here or not url.path.startswith(f"{base.path}/") or not self._passes(url.query):
            raise httpx2.UnsupportedProtocol("not the address that the configuration names")
        timeout = {key: value for key, value in request.extensions.items() if key == "timeout"}
        content = await request.aread()
        headers = self._headers | ({"content-type": self._content_type(request)} if content else {})
        sent = httpx2.Request(request.method, url, headers=headers, content=content or None, extensions=timeout)
        response = await self._inner.handle_async_request(sent)
        if response.headers.get("content-encoding", "identity") != "identity":  # a small answer could unfold to gigabytes
            await response.aclose()
            raise httpx2.DecodingError("a packed answer, which was not asked for")
        return httpx2.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _passes(self, query: bytes) -> bool:
        """Tell whether a query is the one that the address has, with a page's keys before it at most."""
        if query == self._query:
            return True
        rest = query.removesuffix(self._query).removesuffix(b"&") if self._query else query
        rest = rest.removeprefix(self._query + b"&") if self._query else rest
        return self._has_files and _PAGED.fullmatch(rest) is not None

    def _content_type(self, request: httpx2.Request) -> str:
        given = request.headers.get("content-type", "")
        return given if self._has_files and _MULTIPART.fullmatch(given) else "application/json"


class _Bounded(httpx2.AsyncByteStream):
    """An answer that breaks off where it gets too long."""

    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not isinstance(self._stream, httpx2.AsyncByteStream):
            raise httpx2.ReadError("not an asynchronous answer")
        length = 0
        async for chunk in self._stream:
            length += len(chunk)
            if length > LARGEST_ANSWER:
                raise httpx2.ReadError("the answer is too long")
            yield chunk

    async def aclose(self) -> None:
        if isinstance(self._stream, httpx2.AsyncByteStream):
            await self._stream.aclose()


class Client:
    """Asks the server; for any number of threads. The calls run on an event loop of its own, so that each can be cut off."""

    def __init__(
        self, section: OpenAISection, key: SecretStr, trust: ssl.SSLContext | None = None, *, has_files: bool = False
    ) -> None:
        """Make the connection's parts; nothing is connected yet. `trust` has authorities of the admin's own."""
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._model, self._extra = section.model, section.extra_body
        if trust is None and section.base_url.startswith("http:"):  # nobody to trust; reading the system's list takes a while
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx2.AsyncHTTPTransport(verify=trust or True, trust_env=False)
        gate = Gate(section, key, transport, has_files=has_files)
        self._http = httpx2.AsyncClient(transport=gate, trust_env=False, follow_redirects=False)
        self._sdk = openai.AsyncOpenAI(
            api_key=key.get_secret_value(),
            base_url=section.base_url,
            max_retries=0,
            default_query={"api-version": section.api_version} if section.api_version else None,
            http_client=self._http,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hosted-classifier", daemon=True)
        self._thread.start()
        self._closing = threading.Lock()
        self._closed = False

    def ask(self, endpoint: str, body: Mapping[str, Any], seconds: float) -> Reply:
        """Send one request, once, and give the JSON that comes back within so many seconds. Raises Failure."""
        size = len(json.dumps({**body, **self._extra}, ensure_ascii=False, separators=(",", ":")).encode())
        log.info("text leaves the building", endpoint=endpoint, model=self._model, bytes=size)
        resource = self._resource(endpoint)

        def create(timeout: httpx2.Timeout) -> Awaitable[Any]:
            answer: Awaitable[Any] = resource.with_raw_response.create(**body, extra_body=self._extra, timeout=timeout)
            return answer

        return self._wait(self._ask(create, seconds, _read), seconds + GRACE_SECONDS)

    def list_models(self, seconds: float) -> Reply:
        """Ask which models there are (GET /models); nothing is said but the key. Raises Failure."""

        def list_all(timeout: httpx2.Timeout) -> Awaitable[Any]:
            answer: Any = self._sdk.models.with_raw_response.list(timeout=timeout)
            return cast("Awaitable[Any]", answer)

        return self._wait(self._ask(list_all, seconds, _read), seconds + GRACE_SECONDS)

    def call(self, request: Callable[[openai.AsyncOpenAI, httpx2.Timeout], Any], seconds: float) -> Reply:
        """Make any other call of the SDK's raw resources, once, and give the JSON that comes back. Raises Failure."""
        work = self._ask(lambda timeout: request(self._sdk, timeout), seconds, _read_record)
        return self._wait(work, seconds + GRACE_SECONDS)

    def fetch(self, request: Callable[[openai.AsyncOpenAI, httpx2.Timeout], Any], seconds: float) -> bytes:
        """Make a call whose answer is a file, once, and give its bytes. Raises Failure."""
        work = self._ask(lambda timeout: request(self._sdk, timeout), seconds, _read_file)
        return self._wait(work, seconds + GRACE_SECONDS)

    def close(self) -> None:
        """Break off what is under way, and close the connections."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(GRACE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE_SECONDS)
        if not self._thread.is_alive():  # else it is a daemon thread that hangs, and ends with the process
            self._loop.close()

    async def _end(self) -> None:
        current = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not current]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._sdk.close()

    def _wait(self, work: Coroutine[Any, Any, Read], seconds: float) -> Read:
        with self._closing:
            if self._closed:
                work.close()
                raise Failure(Symptom(event=Event.NO_CONNECTION))
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise Failure(Symptom(event=Event.TIMEOUT)) from None
        except CancelledError:
            raise Failure(Symptom(event=Event.NO_CONNECTION)) from None

    def _resource(self, endpoint: str) -> Any:
        return {
            "decisions": self._sdk.decisions,
            "chat/completions": self._sdk.chat.completions,
            "completions": self._sdk.completions,
            "embeddings": self._sdk.embeddings,
        }[endpoint]

    async def _ask(
        self, request: Callable[[httpx2.Timeout], Awaitable[Any]], seconds: float, read: Callable[[httpx2.Response], Read]
    ) -> Read:
        timeout = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        try:
            async with asyncio.timeout(seconds):
                raw = await request(timeout)
                return read(raw.http_response)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise Failure(Symptom(event=Event.TIMEOUT)) from error
        except openai.APIStatusError as error:
            raise Failure(_status(error)) from error
        except openai.APIConnectionError as error:
            raise Failure(Symptom(event=Event.NO_CONNECTION)) from error
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError, ValueError) as error:
            raise Failure(Symptom(event=Event.FOREIGN)) from error


def _read(response: httpx2.Response) -> Reply:
    """Read the JSON of a 200. Raises Failure where it is no JSON object, or one that holds an error."""
    reply = _read_object(response)
    if reply.body.get("error"):
        raise Failure(Symptom(event=Event.FOREIGN, request_id=reply.request_id))
    return reply


def _read_record(response: httpx2.Response) -> Reply:
    """Read the JSON of a 200 that may be a record with an id; there an error is the record's own, as in a job that failed."""
    reply = _read_object(response)
    return reply if isinstance(reply.body.get("id"), str) else _read(response)


def _read_object(response: httpx2.Response) -> Reply:
    request_id = response.headers.get("x-request-id", "")
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Failure(Symptom(event=Event.FOREIGN, request_id=request_id))
    return Reply(body=body, request_id=request_id)


def _read_file(response: httpx2.Response) -> bytes:
    content: bytes = response.content
    return content


def _status(error: openai.APIStatusError) -> Symptom:
    return Symptom(
        event=Event.STATUS,
        status=error.status_code,
        code=error.code or "",
        type=str(error.type or ""),
        param=str(error.param or ""),
        retry_after=read_retry_after(error.response.headers, datetime.now(UTC)),
        request_id=error.request_id or "",
    )


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read how many seconds the server wants us to wait (RFC 9110, 10.2.3, and OpenAI's own milliseconds)."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            seconds = float(milliseconds) / 1000
        elif (text := headers.get("retry-after", "")).strip().replace(".", "", 1).isdecimal():
            seconds = float(text)
        else:
            moment = parsedate_to_datetime(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    if seconds != seconds:  # noqa: PLR0124  (not a number)
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
