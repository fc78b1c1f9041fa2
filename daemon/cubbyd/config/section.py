"""What every section of the configuration is made of: the base model, and the strict types of its keys."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict

Whole = Annotated[int, Strict()]
Switch = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]
Probability = Annotated[float, Strict(), Field(ge=0.0, le=1.0)]
"""Strict: `threshold = true` is a mistake and not 1.0, which would file nothing for ever."""


class Section(BaseModel):
    """What all sections share: frozen, and no key that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine; a name other than localhost is not, whatever it stands for today."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
