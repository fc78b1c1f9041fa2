"""The sections about what the admin sees: metrics and the health page, the digest, the heartbeat. All are off by default."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, SecretStr, field_validator, model_validator

from cubbyd.config.section import Section, Switch, is_loopback
from cubbyd.taxonomy import folder_problem

LAST_PORT: Final = 65_535
_PLACE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


class MetricsSection(Section):
    """The small web server for Prometheus and for monitors."""

    listen: str = ""
    allow_other_hosts: Switch = False

    @model_validator(mode="after")
    def _stays_here(self) -> Self:
        if not self.listen:
            return self
        host, _ = self.address
        if not self.allow_other_hosts and not is_loopback(host):
            raise ValueError(
                f"listen = {self.listen!r} can be reached from other machines, without a password and without TLS; "
                'use "127.0.0.1:9464" (or, behind a firewall of your own, set allow_other_hosts = true)'
            )
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; ValueError where `listen` is no such thing."""
        found = _PLACE.fullmatch(self.listen)
        if found is None or not 0 < int(found["port"]) <= LAST_PORT:
            raise ValueError(
                f'listen: give a host and a port, such as "127.0.0.1:9464" or "[::1]:9464" (found {self.listen!r})'
            )
        return found["six"] or found["host"], int(found["port"])


class Every(StrEnum):
    """How often a digest is sent."""

    NEVER = "never"
    DAY = "day"
    WEEK = "week"


class Weekday(StrEnum):
    """On which day a weekly digest is sent; in the order of datetime.weekday()."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _folder(value: str) -> str:
    if problem := folder_problem(value):
        raise ValueError(problem)
    return value


class DigestSection(Section):
    """The mail that tells what was filed."""

    every: Every = Every.NEVER
    at: str = "06:30"
    weekday: Weekday = Weekday.MONDAY
    time_zone: str = ""
    folder: Annotated[str, AfterValidator(_folder)] = "Digest"

    @field_validator("at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if not _TIME.fullmatch(value):
            raise ValueError('give hours and minutes, such as "06:30"')
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            if value:
                ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError('give a name such as "Europe/Berlin" or "America/Chicago"') from None
        return value


class HeartbeatSection(Section):
    """An address outside that is called while all is well, so that somebody notices a machine that is dead."""

    url: SecretStr = SecretStr("")

    @field_validator("url")
    @classmethod
    def _is_protected(cls, value: SecretStr) -> SecretStr:
        given = value.get_secret_value()
        if not given:
            return value
        try:
            parts = urlsplit(given)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(_NO_URL) from None
        if not host or "@" in parts.netloc or not given.isascii() or not given.isprintable() or " " in given:
            raise ValueError(_NO_URL)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
            raise ValueError("give an address that begins with https:// (http:// to this machine only)")
        return value


_NO_URL: Final = (
    "give an address such as https://hc.example.org/ping/1234, without a user name, blanks, or letters beyond ASCII"
)
