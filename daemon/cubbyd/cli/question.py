"""The questions of `cubbyd init`, asked at a terminal, or read line by line from a pipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from pydantic import SecretStr

from cubbyd.config import Security, read_password
from cubbyd.config.model import credentials_directory
from cubbyd.errors import ConfigError, CubbydError, InsecureConnection, MailboxError
from cubbyd.setup.answer import Answers, make_mailbox
from cubbyd.setup.provider import advise

PLACES: Final = ("file", "credential", "env")
TOKENS: Final = "tokens"
DEFAULT_NAME: Final = "office"
CREDENTIAL_FILES: Final = "CUBBYD_CREDENTIAL_FILES"
"""The variable in which the package's command for root says which file a unit hands over as which credential: NAME:FILE, one
on a line, as in LoadCredential= (systemd.exec(5))."""

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a person answered about the login, and the password, which goes into no configuration."""

    answers: Answers
    password: SecretStr | None
    """None where it logs in with tokens."""
    keep_in: Path | None = None
    """The file for the password that was typed; None where it is in its place, or where that is no file of ours."""
    pastes: bool = False
    """Whether the browser that a person consents in is on another machine."""


class Questions:
    """Asks one thing after the other; a wrong answer is said, and asked for again."""

    def __init__(self, folder: Path, *, aside: bool) -> None:
        """`folder`: where the configuration will be. `aside`: ask on standard error, as standard output is for a program."""
        self._folder, self._aside = folder, aside

    def say(self, text: str = "") -> None:
        """Say something."""
        click.echo(text, err=self._aside)

    def ask(self, text: str, default: str | None = None, **more: Any) -> str:
        """Ask for a text."""
        return str(click.prompt(text, default=default, err=self._aside, **more)).strip()

    def ask_secret(self, text: str) -> SecretStr:
        """Ask for a password, which is not shown, and may begin and end with blanks."""
        return SecretStr(str(click.prompt(text, hide_input=True, err=self._aside)))

    def confirm(self, text: str, *, default: bool) -> bool:
        """Ask for a yes or no."""
        return click.confirm(text, default=default, err=self._aside)

    def log_in(self, login: Callable[[Login], Opened]) -> tuple[Login, Opened]:
        """Ask for server and login until one works, or the person gives up. Raises click.Abort then."""
        known: dict[str, Any] = {}
        while True:
            try:
                given = self._ask_login(known)
                return given, login(given)
            except InsecureConnection as error:
                self._say_failure(error)
                self._ask_authority(known)
            except (MailboxError, ConfigError) as error:
                self._say_failure(error)
            if not self.confirm("Try again?", default=True):
                raise click.Abort

    def choose(self, text: str, count: int) -> set[int]:
        """Ask for some of the numbers from 1 to count; none by default."""
        while True:
            given = self.ask(text, default="none")
            pieces = [] if given == "none" else given.replace(",", " ").split()
            if all(piece.isdecimal() and 1 <= int(piece) <= count for piece in pieces):
                return {int(piece) for piece in pieces}
            self.say(f"Give numbers from 1 to {count}, separated by blanks, or none.")

    def _say_failure(self, error: CubbydError) -> None:
        self.say(f"  ✗ {error}")

    def _ask_login(self, known: dict[str, Any]) -> Login:
        """Ask for all of it, with the last answers as defaults. Raises ConfigError for what cannot be."""
        known["host"] = self.ask("IMAP server", known.get("host"))
        advice = advise(known["host"])
        if advice is not None:
            self.say(advice.sentence)
        security = self.ask(
            "Security", known.get("security", "tls"), type=click.Choice([str(one) for one in Security]), show_choices=True
        )
        usual = 993 if security == Security.TLS else 143
        port = known["port"] if known.get("security") == security else usual
        known["security"] = security
        known["port"] = int(self.ask("Port", str(port), type=click.IntRange(1, 65_535)))
        known["username"] = self.ask("User name", known.get("username"))
        name = self.ask("Name of this mailbox in status and logs", known.get("name", DEFAULT_NAME))
        known["name"] = name
        values = {one: known[one] for one in ("host", "security", "port", "username", "ca_file") if one in known}
        place = known["place"] = self._ask_place(known.get("place", TOKENS if advice else None))
        if place == TOKENS:
            from cubbyd.cli.tokenquestion import ask_oauth, ask_paste

            oauth = ask_oauth(self, known, advice, self._folder)
            answers = _answers(name, values | {"oauth": oauth})
            return Login(answers=answers, password=None, pastes=ask_paste(self, oauth))
        key = self._ask_key(place, name)
        answers = _answers(name, values | {f"password_{place}": key})
        password, is_typed = self._find_password(answers)
        file = credential_files(os.environ).get(key) if place == "credential" else answers.mailbox.password_file
        return Login(answers=answers, password=password, keep_in=file if is_typed else None)

    def _ask_place(self, usual: str | None) -> str:
        """Ask in what kind of place the password is."""
        self.say("The password goes into no configuration. It is read from a file of mode 0600, a systemd credential, or an")
        self.say("environment variable (env). Or there is none: Microsoft and Google give tokens.")
        handed_over = PLACES[1] if credential_files(os.environ) else PLACES[0]
        return self.ask("Read it from", usual or handed_over, type=click.Choice([*PLACES, TOKENS]))

    def _ask_key(self, place: str, name: str) -> str:
        """Ask where exactly cubbyd is to read the password from."""
        handed_over = credential_files(os.environ)
        credential = name if name in handed_over else next(iter(handed_over), name)
        default = {"file": str(self._folder / f"{name}.password"), "credential": credential, "env": f"{name.upper()}_PASSWORD"}
        key = self.ask({"file": "Which file", "credential": "Which credential", "env": "Which variable"}[place], default[place])
        return str(Path(key).expanduser().absolute()) if place == "file" else key

    def _find_password(self, answers: Answers) -> tuple[SecretStr, bool]:
        """Read the password from its place, or have it typed where there is nothing yet; tell whether it was typed."""
        if _is_in_place(answers, os.environ):
            self.say("It is there already, and is taken from there.")
            return read_password(Path("your answers"), answers.name, answers.mailbox), False
        return self.ask_secret("Password (it is not shown)"), True

    def _ask_authority(self, known: dict[str, Any]) -> None:
        if known.get("security") != Security.PLAIN:
            given = self.ask("A file with your own certificate authority, or none", default="none")
            known.pop("ca_file", None)
            if given != "none":
                known["ca_file"] = str(Path(given).expanduser().absolute())


def _answers(name: str, values: dict[str, Any]) -> Answers:
    from pydantic import ValidationError

    from cubbyd.setup.answer import problems_of

    mailbox = make_mailbox(values)
    try:
        return Answers(name=name, mailbox=mailbox)
    except ValidationError as error:
        raise ConfigError("your answers", problems_of(error)) from None


def _is_in_place(answers: Answers, environment: Mapping[str, str]) -> bool:
    mailbox = answers.mailbox
    if mailbox.password_env is not None:
        return bool(environment.get(mailbox.password_env))
    if mailbox.password_credential is not None:
        return (credentials_directory(environment) / mailbox.password_credential).exists()
    return mailbox.password_file is not None and mailbox.password_file.exists()


def credential_files(environment: Mapping[str, str]) -> dict[str, Path]:
    """Tell which credentials the service will be handed, and the file of each; empty where no unit was asked."""
    lines = (line.partition(":") for line in environment.get(CREDENTIAL_FILES, "").splitlines())
    return {name: Path(file) for name, _, file in lines if name and file.startswith("/")}


def numbered(names: Sequence[str]) -> list[str]:
    """Number what can be chosen, from 1."""
    return [f"{number:>3}  {name}" for number, name in enumerate(names, start=1)]
