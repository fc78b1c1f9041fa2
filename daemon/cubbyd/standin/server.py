"""The stand-in's server, on this machine: decisions, chats and completions here, all else by the table of endpoints."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, Self

from pydantic import BaseModel, ValidationError

from cubbyd.errors import CubbydError
from cubbyd.standin import embedding
from cubbyd.standin.answers import Guess, Words, complete, decide
from cubbyd.standin.batch import Batches
from cubbyd.standin.catalog import Catalog
from cubbyd.standin.dialect import Dialect
from cubbyd.standin.endpoint import Answer, Endpoint, Numbers, Refused, Table
from cubbyd.standin.fault import Fault
from cubbyd.standin.file import Files
from cubbyd.standin.spoken import chat_without_schema, complete_prompt
from cubbyd.standin.strict import strict_adapter
from cubbyd.standin.tuning import Tunings

KEY: Final = "sk-stand-in"
MODEL: Final = "gpt-6-luna"
OK: Final = 200
BAD_REQUEST: Final = 400
FIRST_NO_SUCCESS: Final = 300
LARGEST_REQUEST: Final = 16 * 1024 * 1024
POLL_SECONDS: Final = 0.005
"""How long closing the server may take."""

Check = Callable[[str, Mapping[str, Any]], str | None]
"""Looks at a request's path and body too; says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request, as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    at: float
    """Monotonic time."""

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that was sent."""
        body: dict[str, Any] = json.loads(self.content)
        return body

    @property
    def mail(self) -> str:
        """What was said in the user's name, which is the mail; or the texts that were to become vectors."""
        body = self.body
        if "prompt" in body:
            return str(body["prompt"])
        given = body.get("input") or body.get("messages") or []
        said = [given] if isinstance(given, str) else given
        users = [one["content"] for one in said if isinstance(one, dict) and one["role"] == "user"]
        return "\n".join([one for one in said if isinstance(one, str)] + users)


class Standin:
    """A server that is up while the context lasts."""

    def __init__(
        self,
        words: Mapping[str, str] | Guess,
        *,
        sure: float = 0.9,
        key: str = KEY,
        checks: tuple[Check, ...] = (),
        dialect: Dialect | None = None,
        codes: Mapping[str, str] | None = None,
    ) -> None:
        """Map words to the category that each speaks for, or give what guesses; checks are asked about every request.

        `codes` maps codes to categories for a model that was taught them, and is not told them. Raises CubbydError where the
        vendor's SDK, by whose types requests are checked, is not installed.
        """
        if find_spec("openai") is None:
            raise CubbydError("the stand-in needs the package openai; install it with: pip install 'cubbyd[openai]'")
        self.dialect, self.codes = dialect or Dialect(), codes or {}
        self.requests: list[Recorded] = []
        self.violations: list[str] = []
        """What was wrong with requests; every test ends by asserting that there is nothing."""
        self.words: Guess = Words(words, sure) if isinstance(words, Mapping) else words
        self.key = key
        self._checks = checks
        self._script: deque[Fault] = deque()
        self._always: Fault | None = None
        self._lock = threading.Lock()
        self._adapters = _request_types()
        self.catalog = Catalog()
        numbers = Numbers()
        self.files = Files(numbers)
        self.tunings = Tunings(numbers, self.files, self.catalog)
        self.batches = Batches(numbers, self.files, self._ask)
        stateful = (self.catalog, self.files, self.tunings, self.batches)
        self._table = Table((*embedding.endpoints(), *(endpoint for part in stateful for endpoint in part.endpoints())))
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="stand-in", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        """The address to configure."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def then(self, *faults: Fault) -> None:
        """Do these to the next requests, one after the other."""
        with self._lock:
            self._script.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Do this to every request for which nothing else is planned; None: answer rightly again."""
        with self._lock:
            self._always = fault

    def take(self, recorded: Recorded) -> tuple[Fault, int]:
        """Remember a request; tell what is to be done to its answer, and its number."""
        with self._lock:
            self.requests.append(recorded)
            fault = self._script.popleft() if self._script else self._always or Fault()
            return fault, len(self.requests)

    def refusal(self, recorded: Recorded) -> tuple[int, bytes, str] | None:
        """Give the answer of a server that lacks the endpoint, or refuses a key; None where it takes the request."""
        try:
            body = recorded.body if recorded.method == "POST" else {}
        except ValueError:
            return None
        return self.dialect.refusal(self.dialect.path(recorded.path) or "", body if isinstance(body, dict) else {})

    def answer(self, recorded: Recorded, *, is_carried_out: bool = True) -> tuple[int, Answer]:
        """Check a request, and give the status and the right answer; one that is not carried out has no effect."""
        if not self.dialect.is_right_key(recorded.headers, self.key):
            return 401, _error("Incorrect API key provided: sk-st***", "invalid_api_key")
        path = self.dialect.path(recorded.path)
        target = path if self.dialect.api_version else recorded.path
        if target and (found := self._table.find(recorded.method, target)):
            return self._answer_by_table(recorded, target, *found, is_carried_out=is_carried_out)
        adapter = self._adapters.get(path or "") if recorded.method == "POST" else None
        if adapter is None:
            return 404, _error("Invalid URL", None)
        problem = self._problem(recorded, adapter)
        if problem:
            self.violations.append(f"{recorded.path}: {problem}")
            return 400, _error(problem, "invalid_request")
        body = self.dialect.as_vendor(recorded.body)
        try:
            return 200, self.dialect.spoil(self._answer(path or "", body), recorded.body)
        except Refused as refused:
            return refused.status, refused.body

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/decisions":
            return _valid(decide(self.words, body), "decision")
        if path == "/v1/completions":
            return _valid(complete_prompt(self.words, self.codes, body, len(self.requests)), "completion")
        if self.tunings.knows(body["model"]):
            learned = self.tunings.learned(body["model"])
            return _valid(learned.complete(body, f"chatcmpl-{len(self.requests)}"), "chat")
        if body.get("response_format", {}).get("type") == "json_schema":
            return _valid(complete(self.words, body, len(self.requests)), "chat")
        return _valid(chat_without_schema(self.words, self.codes, body, len(self.requests)), "chat")

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a request of a batch as if it had come alone."""
        headers = {"authorization": f"Bearer {self.key}", "api-key": self.key, "content-type": "application/json"}
        content = json.dumps(body).encode()
        status, answer = self.answer(Recorded(method="POST", path=path, headers=headers, content=content, at=time.monotonic()))
        return status, answer if isinstance(answer, dict) else {}

    def _answer_by_table(
        self, recorded: Recorded, target: str, endpoint: Endpoint, names: Mapping[str, str], *, is_carried_out: bool
    ) -> tuple[int, Answer]:
        content_type = recorded.headers.get("content-type", "")
        try:
            call = self._table.check(endpoint, names, target, recorded.content, content_type)
            for check in self._checks:
                if problem := check(call.path, call.body):
                    raise Refused(problem)  # noqa: TRY301  (it is answered here as any other)
            return 200, self._table.answer(endpoint, call) if is_carried_out else {}
        except Refused as refused:
            if refused.status == BAD_REQUEST:
                self.violations.append(f"{recorded.path}: {refused.message}")
            return refused.status, refused.body

    def _problem(self, recorded: Recorded, adapter: Any) -> str | None:
        try:
            if not isinstance(recorded.body, dict):
                return "no object"
            body = self.dialect.as_vendor(recorded.body)
            adapter.validate_python(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except ValueError:
            return "no JSON"
        for check in (_limits, *self._checks):
            if problem := check(self.dialect.path(recorded.path) or "", body):
                return problem
        return None


@cache
def _request_types() -> dict[str, Any]:
    """Make the validators, by path, once for all stand-ins; the SDK is loaded here and no sooner."""
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from openai.types.completion_create_params import CompletionCreateParamsNonStreaming as PromptParams
    from openai.types.decision_create_params import DecisionCreateParams

    return {
        "/v1/decisions": strict_adapter(DecisionCreateParams),
        "/v1/chat/completions": strict_adapter(CompletionCreateParamsNonStreaming),
        "/v1/completions": strict_adapter(PromptParams),
    }


def _valid(answer: dict[str, Any], kind: str) -> dict[str, Any]:
    """Hold our own answer against the SDK's type, so that no test passes on an answer that cannot be."""
    from openai.types import Completion, Decision
    from openai.types.chat import ChatCompletion

    types: dict[str, type[BaseModel]] = {"decision": Decision, "completion": Completion, "chat": ChatCompletion}
    types[kind].model_validate(answer)
    return answer


def _limits(path: str, body: Mapping[str, Any]) -> str | None:
    """Hold a request against the numbers that stand in the SDK's prose alone."""
    if path == "/v1/completions":
        return None if (body.get("logprobs") or 0) <= 5 else "logprobs: at most 5"  # noqa: PLR2004
    if path != "/v1/decisions":
        if (body.get("top_logprobs") or 0) > 20 or (body.get("top_logprobs") and not body.get("logprobs")):  # noqa: PLR2004
            return "top_logprobs: at most 20, and with logprobs alone"
        names = body.get("response_format", {}).get("json_schema", {}).get("name", "x")
        return None if len(names) <= 64 else "response_format.json_schema.name: too long"  # noqa: PLR2004
    questions = body["questions"]
    if not 1 <= len(questions) <= 400:  # noqa: PLR2004
        return "questions: 1 to 400"
    for question in questions:
        values = [choice["value"] for choice in question.get("choices", [])]
        if question["type"] == "choice" and (not 2 <= len(values) <= 255 or len(set(values)) != len(values)):  # noqa: PLR2004
            return "choices: 2 to 255, each once"
    return None


def _error(message: str, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, standin: Standin) -> None:
        self.standin = standin
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._respond()

    def do_DELETE(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        standin = self.server.standin
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_REQUEST:
            self._refuse_size(length)
            return
        recorded = Recorded(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            content=self.rfile.read(length),
            at=time.monotonic(),
        )
        fault, number = standin.take(recorded)
        if refused := standin.refusal(recorded):
            self._send(refused[0], number, Fault(content_type=refused[2]), refused[1])
            return
        status, answer = standin.answer(recorded, is_carried_out=fault.status < FIRST_NO_SUCCESS)
        time.sleep(fault.wait)
        if fault.hang_up:
            self._hang_up()
        elif status == OK:
            self._send(fault.status, number, fault, _spoiled(fault, answer))
        else:
            self._send(status, number, Fault(), json.dumps(answer).encode())

    def _refuse_size(self, length: int) -> None:
        while length > 0 and (piece := self.rfile.read(min(length, LARGEST_REQUEST))):
            length -= len(piece)
        self._send(413, 0, Fault(), json.dumps(_error("Maximum content size limit exceeded.", None)).encode())

    def _send(self, status: int, number: int, fault: Fault, content: bytes) -> None:
        self.send_response(status)
        headers = {"content-type": fault.content_type, "x-request-id": f"req_{number}"}
        for name, value in (headers | dict(fault.headers) | {"content-length": str(len(content))}).items():
            self.send_header(name, value)
        try:
            self.end_headers()
            for piece in _pieces(fault, content):
                self.wfile.write(piece)
                time.sleep(fault.drip)
        except OSError:  # whoever asked has gone, as it should
            self.close_connection = True
        if fault.cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # it is gone already
            self.connection.shutdown(socket.SHUT_RDWR)


def _pieces(fault: Fault, content: bytes) -> list[bytes]:
    if fault.cut:
        return [content[: len(content) // 2]]
    return [bytes([byte]) for byte in content] if fault.drip else [content]


def _spoiled(fault: Fault, answer: Answer) -> bytes:
    told = answer if fault.body is None else fault.body
    if isinstance(told, bytes):
        return told
    if fault.body is None and fault.change:
        told = fault.change(told)
    return json.dumps(told).encode()
