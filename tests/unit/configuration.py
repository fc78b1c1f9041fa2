"""A small right configuration, and what is said of it once lines are added that make it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cubbyd.config import Config, load_config
from cubbyd.errors import EXIT_CONFIG, ConfigError

MAILBOX = """
[mailboxes.office]
host = "mail.example.org"
username = "office@example.org"
password_file = "office.password"
"""

CATEGORIES = """
[[categories]]
id = "absence"
code = 1
name = "Absence"

[[categories]]
id = "billing"
code = 2
name = "Billing"
"""


def load(file: Path, text: str = "", *, mailbox: str = "", first: str = "", second: str = "") -> Config:
    """Load a small right configuration with lines added: sections of its own, or keys of the mailbox and the categories."""
    absence, billing = CATEGORIES.split("\n\n")
    file.write_text(f"{MAILBOX}{mailbox}\n{text}\n{absence}\n{first}\n\n{billing}\n{second}\n", encoding="utf-8")
    return load_config(file)


def fault(file: Path, text: str = "", **more: str) -> ConfigError:
    """Load the small configuration with lines added that make it wrong."""
    with pytest.raises(ConfigError) as caught:
        load(file, text, **more)
    assert caught.value.exit_code == EXIT_CONFIG == 78
    assert str(file) in str(caught.value)
    return caught.value


def refusal(file: Path) -> ConfigError:
    """Load a file that is wrong."""
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.exit_code == EXIT_CONFIG == 78
    assert str(file) in str(caught.value)
    return caught.value
