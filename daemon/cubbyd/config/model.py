"""The TOML file as frozen, typed sections; every key is documented at its field, and an unknown key is an error.

config.example.toml is tested against these models, so the two cannot drift.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cubbyd.config.composite import CascadeSection, EnsembleSection, HierarchicalSection, Member, ShortlistSection
from cubbyd.config.embeddings import EmbeddingsSection
from cubbyd.config.hosted import OpenAISection
from cubbyd.config.monitoring import DigestSection, Every, HeartbeatSection, MetricsSection
from cubbyd.config.oauth import OAuthSection
from cubbyd.config.rules import RuleSection, UrgentSection, refuse_odd_rules
from cubbyd.config.section import Probability, Section, Switch, Whole, is_loopback
from cubbyd.taxonomy import FOLDER_SEPARATOR, KEYWORD, Category, CategoryId, GroupId, Taxonomy, folder_problem

KEYWORD_PREFIX = "cubbyd-"
MODEL_NAME = "cubbyd.model"
FEWEST_CATEGORIES = 2
LONGEST_KEPT_DAYS = 36_500
LONGEST_BACKLOG_DAYS = 36_500
ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"


def _folder(value: str) -> str:
    if problem := folder_problem(value):
        raise ValueError(problem)
    return value


def _optional_folder(value: str) -> str:
    return _folder(value) if value else value


def _keyword(value: str) -> str:
    if not KEYWORD.fullmatch(value):
        raise ValueError("an IMAP keyword has 1 to 50 ASCII letters, digits or $ _ . - and no space")
    return value


FolderName = Annotated[str, AfterValidator(_folder)]
OptionalFolderName = Annotated[str, AfterValidator(_optional_folder)]


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    TLS = "tls"  # TLS from the first byte, usually port 993
    STARTTLS = "starttls"  # plain first, then TLS before anything else is said, usually port 143
    PLAIN = "plain"  # no protection: loopback only, unless explicitly allowed


class FilingAction(StrEnum):
    """What is done with a mail that has been decided."""

    MOVE = "move"  # into the category's folder
    LABEL = "label"  # the category's keyword, the mail stays in the inbox
    MOVE_LABEL = "move+label"  # both
    OBSERVE = "observe"  # nothing; the decision is recorded


class Unsure(StrEnum):
    """Where a mail goes that no category is probable enough for."""

    STAY = "stay"  # in the inbox
    REVIEW = "review"  # into the review folder


class Backlog(StrEnum):
    """What is done with mail that was in an inbox before cubbyd first opened it."""

    IGNORE = "ignore"  # it is left alone
    FILE = "file"  # all of it is filed, after new mail


def _backlog(value: Any) -> Any:
    is_days = type(value) is int and 1 <= value <= LONGEST_BACKLOG_DAYS
    if not is_days and value not in tuple(Backlog):
        raise ValueError(f'give "ignore", "file", or a number of days, 1 to {LONGEST_BACKLOG_DAYS:_}'.replace("_", ","))
    return value


class MailboxSection(Section):
    """One watched mailbox."""

    host: str = Field(min_length=1)
    port: Whole = Field(default=0, ge=0, le=65535)
    security: Security = Security.TLS
    username: str = Field(min_length=1)
    password_file: Path | None = None
    password_credential: str | None = None
    password_env: str | None = None
    oauth: OAuthSection | None = None
    ca_file: Path | None = None
    allow_plain_to_remote_host: Switch = False
    inbox: str = Field(default="INBOX", min_length=1)
    poll_seconds: Whole = Field(default=60, ge=5, le=86_400)
    idle: Switch = True
    connect_timeout_seconds: Whole = Field(default=15, ge=1, le=300)
    read_timeout_seconds: Whole = Field(default=90, ge=5, le=900)

    @model_validator(mode="before")
    @classmethod
    def _no_password_here(cls, values: Any) -> Any:
        if isinstance(values, dict) and "password" in values:
            raise ValueError(
                "a password does not belong in this file, which many can read and which gets copied; "
                "put it in a file of mode 0600 and give password_file, or use password_credential or password_env"
            )
        return values

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        given = [key for key in LOGIN_KEYS if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of {', '.join(LOGIN_KEYS)} (found {found})")
        return self

    @model_validator(mode="after")
    def _tokens_are_not_shown(self) -> Self:
        if self.oauth is not None and self.security is Security.PLAIN and not is_loopback(self.host):
            raise ValueError('security = "plain" would show the token to everybody on the way; use "tls" or "starttls"')
        return self

    @model_validator(mode="after")
    def _plain_stays_here(self) -> Self:
        if self.security is Security.PLAIN and not self.allow_plain_to_remote_host and not is_loopback(self.host):
            raise ValueError(
                f'security = "plain" would send the password and every mail readable to {self.host}; '
                'use "tls" or "starttls" (or, on a network of your own, set allow_plain_to_remote_host = true)'
            )
        return self

    @property
    def effective_port(self) -> int:
        """The port to connect to: the one given, or the usual one of the security mode."""
        return self.port or (993 if self.security is Security.TLS else 143)


LOGIN_KEYS = ("password_file", "password_credential", "password_env", "oauth")


class FilingSection(Section):
    """What happens to a mail once a category is chosen."""

    action: FilingAction = FilingAction.MOVE
    unsure: Unsure = Unsure.STAY
    review_folder: FolderName = "Review"
    folder_prefix: OptionalFolderName = ""
    flag_urgent: Switch = True
    backlog: Annotated[Backlog | Whole, BeforeValidator(_backlog)] = Backlog.IGNORE

    def path(self, folder: str) -> str:
        """Put a folder of the configuration under the prefix."""
        return f"{self.folder_prefix}{FOLDER_SEPARATOR}{folder}" if self.folder_prefix else folder


class Labels(StrEnum):
    """How many categories a mail can have."""

    ONE = "one"  # the most probable one
    MANY = "many"  # each that reaches its threshold; the most probable one is the folder


class ClassifierSection(Section):
    """Which backend decides, and from which probability it is believed."""

    kind: str = "local"
    model: Path = Path(MODEL_NAME)
    threshold: Probability = 0.5
    attempts: Whole = Field(default=8, ge=1, le=100)
    labels: Labels = Labels.ONE
    calibration: Path | None = None
    fallback: Member | None = None
    openai: OpenAISection | None = None
    embeddings: EmbeddingsSection | None = None
    cascade: CascadeSection | None = None
    shortlist: ShortlistSection | None = None
    ensemble: EnsembleSection | None = None
    hierarchical: HierarchicalSection | None = None


class RedactionSection(Section):
    """What leaves the building, if anything does: a remote backend is given masked text alone."""

    roster_file: Path | None = None
    roster_credential: str | None = None
    keep: tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] = ()
    allow_names_to_leave_the_building: Switch = False

    @model_validator(mode="after")
    def _one_roster(self) -> Self:
        if self.roster_file and self.roster_credential:
            raise ValueError("give roster_file or roster_credential, not both")
        return self

    def roster_path(self, environment: Mapping[str, str]) -> Path | None:
        """Find the roster; None where none is configured."""
        if self.roster_credential:
            return credentials_directory(environment) / self.roster_credential
        return self.roster_file


def credentials_directory(environment: Mapping[str, str]) -> Path:
    """Find systemd's credentials (systemd.exec(5), LoadCredential=), else where containers put them."""
    return Path(environment.get("CREDENTIALS_DIRECTORY", "/run/secrets"))


class CategorySection(Section):
    """One category of the facility."""

    id: str = Field(pattern=ID_PATTERN)
    code: Whole = Field(ge=1, le=9999)
    name: str = Field(min_length=1, max_length=60)
    description: str = ""
    folder: OptionalFolderName = ""
    keyword: str = ""
    threshold: Probability | None = None
    shares_folder: Switch = False
    group: str | None = Field(default=None, pattern=ID_PATTERN)

    @field_validator("keyword")
    @classmethod
    def _usable(cls, value: str) -> str:
        return _keyword(value) if value else value

    @model_validator(mode="after")
    def _has_a_folder(self) -> Self:
        if not self.folder and (problem := folder_problem(self.name)):
            raise ValueError(f"the name {self.name!r} cannot be a folder; give it one with folder = ({problem})")
        return self

    def category(self) -> Category:
        """Make the value that the program works with."""
        return Category(
            id=CategoryId(self.id),
            code=self.code,
            name=self.name,
            description=self.description,
            folder=self.folder or self.name,
            keyword=self.keyword or KEYWORD_PREFIX + self.id,
            threshold=self.threshold,
            group=None if self.group is None else GroupId(CategoryId(self.group)),
        )


class StateSection(Section):
    """Where cubbyd remembers what it has seen and done, and for how long."""

    directory: Path = Field(default_factory=lambda: default_state_directory(os.environ))
    keep_days: Whole = Field(default=0, ge=0, le=LONGEST_KEPT_DAYS)


class LogFormat(StrEnum):
    """How a log line looks."""

    AUTO = "auto"  # JSON under systemd and in pipes, readable on a terminal
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """From which level lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSection(Section):
    """The log; it goes to standard error."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO


class Config(BaseSettings):
    """The whole file. Only the TOML counts: no environment variable overrides a key."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    mailboxes: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")], MailboxSection] = Field(min_length=1)
    filing: FilingSection = FilingSection()
    classifier: ClassifierSection = ClassifierSection()
    redaction: RedactionSection = RedactionSection()
    rules: tuple[RuleSection, ...] = ()
    urgent: UrgentSection = UrgentSection()
    categories: tuple[CategorySection, ...]
    state: StateSection = Field(default_factory=StateSection)
    log: LogSection = LogSection()
    metrics: MetricsSection = MetricsSection()
    digest: DigestSection = DigestSection()
    heartbeat: HeartbeatSection = HeartbeatSection()

    _file: Path = PrivateAttr(default=Path("cubbyd.toml"))

    @property
    def file(self) -> Path:
        """The file that this was read from, for errors that are found later."""
        return self._file

    def read_from(self, file: Path) -> Self:
        """Remember the file that this was read from."""
        self._file = file
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but what the loader took from the TOML file."""
        return (init_settings,)

    @field_validator("categories")
    @classmethod
    def _distinct(cls, categories: tuple[CategorySection, ...]) -> tuple[CategorySection, ...]:
        if len(categories) < FEWEST_CATEGORIES:
            raise ValueError(f"at least {FEWEST_CATEGORIES} [[categories]] are needed, and {len(categories)} given")
        made = [section.category() for section in categories]
        for key in ("id", "code", "name", "keyword"):
            _refuse_twice(key, [str(getattr(category, key)) for category in made])
        alone = Counter(category.folder.casefold() for category in made)
        for section, category in zip(categories, made, strict=True):
            if alone[category.folder.casefold()] > 1 and not section.shares_folder:
                raise ValueError(
                    f"category {section.id!r} has the folder {category.folder!r} of another category; "
                    "give it a folder of its own, or set shares_folder = true in each category that shares it"
                )
        return categories

    @model_validator(mode="after")
    def _rules_hold_together(self) -> Self:
        refuse_odd_rules(self.rules, tuple(section.id for section in self.categories))
        return self

    @model_validator(mode="after")
    def _folders_are_not_the_inbox(self) -> Self:
        for name, mailbox in self.mailboxes.items():
            for folder in self.target_folders:
                if folder.casefold() == mailbox.inbox.casefold():
                    raise ValueError(f"the folder {folder!r} is the inbox of mailbox {name!r}; a mail cannot be filed there")
        return self

    @model_validator(mode="after")
    def _review_is_a_folder_of_its_own(self) -> Self:
        if self.filing.unsure is Unsure.REVIEW:
            for category in self.taxonomy:
                if category.folder.casefold() == self.review_folder.casefold():
                    raise ValueError(f"filing.review_folder is the folder of category {category.id!r}; choose another")
        return self

    @model_validator(mode="after")
    def _digests_are_not_among_mail(self) -> Self:
        if self.digest.every is not Every.NEVER and (problem := self.digest_problem):
            raise ValueError(problem)
        return self

    @property
    def taxonomy(self) -> Taxonomy:
        """The categories, as the program works with them; folders carry the prefix."""
        made = (section.category() for section in self.categories)
        return Taxonomy(
            tuple(
                Category(
                    id=category.id,
                    code=category.code,
                    name=category.name,
                    description=category.description,
                    folder=self.filing.path(category.folder),
                    keyword=category.keyword,
                    threshold=category.threshold,
                    group=category.group,
                )
                for category in made
            )
        )

    @property
    def review_folder(self) -> str:
        """The review folder, with the prefix."""
        return self.filing.path(self.filing.review_folder)

    @property
    def digest_folder(self) -> str:
        """Where digests are put, with the prefix."""
        return self.filing.path(self.digest.folder)

    @property
    def digest_problem(self) -> str:
        """Why digests cannot be put where they are to go; empty where they can."""
        taken = {folder.casefold() for folder in (*self.target_folders, *(box.inbox for box in self.mailboxes.values()))}
        if self.digest_folder.casefold() in taken:
            return f"digest.folder: mail is filed to {self.digest_folder!r}, or watched there; choose a folder of its own"
        return ""

    @property
    def target_folders(self) -> tuple[str, ...]:
        """Every folder that mail can be filed to, once each."""
        review = [self.review_folder] if self.filing.unsure is Unsure.REVIEW else []
        return tuple(dict.fromkeys([*(category.folder for category in self.taxonomy), *review]))


def _refuse_twice(key: str, values: list[str]) -> None:
    twice = [value for value, count in Counter(value.casefold() for value in values).items() if count > 1]
    if twice:
        raise ValueError(f"two categories have the {key} {twice[0]!r}; each needs its own")


def default_state_directory(environment: os._Environ[str] | dict[str, str]) -> Path:
    """Find where state goes where the file does not say: systemd's StateDirectory=, else the user's state directory."""
    if directory := environment.get("STATE_DIRECTORY"):
        return Path(directory.split(":")[0])
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local" / "state"
    return Path(base) / "cubbyd"
