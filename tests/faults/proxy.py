"""A TCP proxy on loopback between cubbyd and a real server that spoils one exchange, in any way that a network or server can.

It reads both directions as IMAP (RFC 9051, 2.2): tagged commands one way, lines and literals the other. What it is not told
to spoil it passes on byte by byte.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO, Self

COMMAND = re.compile(rb"([A-Z]{4}\d+) (UID )?([A-Z]+)", re.IGNORECASE)
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Kind(StrEnum):
    """What goes wrong with one command."""

    CUT_BEFORE = "cut before it arrives"
    CUT_AFTER = "executed, the answer cut"
    RESET_AFTER = "executed, the connection reset"
    CUT_INSIDE = "cut in the middle of the answer"
    SILENT = "nothing arrives any more"
    UNANSWERED = "executed, then silence"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    NO_AFTER = "executed, and NO said"
    GARBAGE = "a line of garbage before the answer"
    UNSOLICITED = "news that nobody asked for before the answer"
    TRICKLE = "an answer of single bytes"


TRICKLED = 300
"""Bytes of a line that come one by one; the rest follows at once, or a long mail takes a minute."""

UNSOLICITED_LINES = (
    b"* OK [ALERT] maintenance tonight\r\n* 3 FETCH (FLAGS (\\Seen) UID 4242)\r\n* 4 FETCH (FLAGS (\\Deleted))\r\n"
    b"* 99 EXISTS\r\n* 0 RECENT\r\n"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to which occurrence of a command, counted from 1 over all connections."""

    kind: Kind
    command: str
    occurrence: int = 1
    says: str = "not now"
    """What a NO or BAD says."""


@dataclass(slots=True)
class FaultProxy:
    """Listens while the context lasts; `fault` strikes once."""

    target_port: int
    fault: Fault | None = None
    rewrite: Callable[[bytes], bytes] = lambda line: line
    """Changes each line of the server; an empty result drops it."""
    swallows: Callable[[str], bool] = lambda _name: False
    """Which commands are answered with OK and never reach the server."""
    commands: list[str] = field(default_factory=list)
    """What was asked, in order."""
    struck: bool = False
    port: int = 0
    _listener: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """End every connection."""
        with self._lock:
            sockets, self._open = self._open, []
        for one in sockets:
            end(one)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target_port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open += [client, server]
            exchange = _Exchange(self, client, server)
            threading.Thread(target=exchange.pass_commands, daemon=True).start()
            threading.Thread(target=exchange.pass_answers, daemon=True).start()

    def strikes(self, command: str) -> Fault | None:
        """Note a command; tell whether it is the one, and then what happens to it."""
        with self._lock:
            self.commands.append(command)
            fault = self.fault
            if fault is None or self.struck or command != fault.command:
                return None
            if self.commands.count(command) < fault.occurrence:
                return None
            self.struck = True
            return fault


class _Exchange:
    """One connection, both ways."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._spoiled: tuple[bytes, Kind] | None = None
        """The tag of the command that is spoiled, and how."""

    def pass_commands(self) -> None:
        with suppress(OSError, ValueError), self._client.makefile("rb") as lines:
            for line in lines:
                found = COMMAND.match(line)
                fault = self._proxy.strikes(name_of(found)) if found else None
                if found and self._proxy.swallows(name_of(found)):
                    self._client.sendall(found[1] + b" OK done\r\n")
                    continue
                if found and fault:
                    self._spoiled = found[1], fault.kind
                    if not self._spoil_command(found[1], fault):
                        continue
                self._server.sendall(line)
        end(self._server)

    def _spoil_command(self, tag: bytes, fault: Fault) -> bool:
        """Do what is to be done before the server has it; tell whether the server gets it."""
        match fault.kind:
            case Kind.CUT_BEFORE:
                end(self._client)
            case Kind.SILENT:
                pass
            case Kind.NO | Kind.BAD:
                self._client.sendall(b"%s %s %s\r\n" % (tag, fault.kind.encode(), fault.says.encode()))
            case Kind.BYE:
                self._client.sendall(b"* BYE going down\r\n")
                end(self._client)
            case _:
                return True
        return False

    def pass_answers(self) -> None:
        with suppress(OSError, ValueError), self._server.makefile("rb") as lines:
            for line in lines:
                whole = line + _literal(lines, line)
                if self._spoiled is None or not self._spoil_answer(whole, *self._spoiled):
                    self._client.sendall(self._proxy.rewrite(whole))
        end(self._client)

    def _spoil_answer(self, line: bytes, tag: bytes, kind: Kind) -> bool:
        """Do to one line of the answer what is to be done; tell whether that was all for this line."""
        is_last = line.startswith(tag + b" ")
        match kind:
            case Kind.SILENT | Kind.UNANSWERED:
                return True
            case Kind.CUT_AFTER | Kind.RESET_AFTER:
                if is_last:
                    end(self._client, hard=kind is Kind.RESET_AFTER)
                return True
            case Kind.CUT_INSIDE:
                self._client.sendall(line[: len(line) // 2])
                end(self._client)
                return True
            case Kind.NO_AFTER if is_last:
                self._client.sendall(tag + b" NO something went wrong\r\n")
            case Kind.GARBAGE:
                self._client.sendall(b"\xff\xfe)) {12 garbage\r\n" + line)
            case Kind.UNSOLICITED:
                self._client.sendall(UNSOLICITED_LINES + line)
            case Kind.TRICKLE:
                self._trickle(line)
            case _:
                return False
        if is_last or kind in {Kind.GARBAGE, Kind.UNSOLICITED}:
            self._spoiled = None
        return True

    def _trickle(self, line: bytes) -> None:
        for place in range(min(len(line), TRICKLED)):
            self._client.sendall(line[place : place + 1])
            time.sleep(0.0005)
        self._client.sendall(line[TRICKLED:])


def name_of(command: re.Match[bytes]) -> str:
    """Give a command's name, as UID FETCH or LOGIN."""
    return ((command[2] or b"") + command[3]).decode().upper()


def _literal(lines: BinaryIO, line: bytes) -> bytes:
    """Read on while a line ends in the announcement of a literal."""
    rest = b""
    while found := LITERAL.search(line):
        line = lines.read(int(found[1])) + lines.readline()
        rest += line
    return rest


def end(one: socket.socket, *, hard: bool = False) -> None:
    """End a connection; hard: with a reset in the place of a farewell."""
    with suppress(OSError):
        if hard:  # the reader on the other thread lets go, and the last close sends the reset
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RD if hard else socket.SHUT_RDWR)
    with suppress(OSError):
        one.close()
