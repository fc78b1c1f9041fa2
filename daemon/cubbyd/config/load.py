"""Find the TOML file, read it, and turn every fault into one error that names file, key, what was found, what is allowed."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cubbyd.config.composite import MEMBER_TABLES
from cubbyd.config.model import MODEL_NAME, Config
from cubbyd.config.oauth import OAUTH_PATHS
from cubbyd.errors import ConfigError, Problem

LONGEST_FOUND = 60
"""Characters of a wrong value that an error shows."""

SECRET_WORDS = (
    *("password", "api_key", "base_url", "heartbeat.url"),
    *("client_secret", "authority", "authorization_url", "token_url"),
)
"""Keys whose value no error shows: a secret may have been put there; an address may hold one before its @."""

PATH_KEYS = (("classifier", "model"), ("classifier", "calibration"), ("redaction", "roster_file"), ("state", "directory"))


def find_config(given: Path | None, environment: Mapping[str, str] | None = None) -> Path:
    """Find the file: the one given, else $CUBBYD_CONFIG, else ./cubbyd.toml, else /etc/cubbyd/cubbyd.toml.

    Raises ConfigError where there is none.
    """
    environment = os.environ if environment is None else environment
    if given is not None:
        return given
    if named := environment.get("CUBBYD_CONFIG"):
        return Path(named)
    usual = (Path("cubbyd.toml"), Path("/etc/cubbyd/cubbyd.toml"))
    for file in usual:
        if file.exists():
            return file
    looked = "looked for $CUBBYD_CONFIG, " + ", ".join(str(file) for file in usual)
    allowed = f"no such file ({looked}); make one with `cubbyd init`, or give --config FILE"
    raise ConfigError(usual[0], (Problem(key="(file)", found="", allowed=allowed),))


def load_config(file: Path) -> Config:
    """Read and check a configuration file. Relative paths in it count from its own folder. Raises ConfigError."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(file, (_whole_file(f"cannot be read: {error.strerror}; give another with --config FILE"),)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(file, (_whole_file(f"is no TOML: {error}"),)) from error
    _refuse_unknown_sections(file, values)
    _anchor_paths(file, values)
    try:
        return Config(**values).read_from(file)
    except ValidationError as error:
        problems = tuple(_problem(detail) for detail in error.errors(include_url=False))
        raise ConfigError(file, problems) from None  # pydantic's own text repeats the input, a secret perhaps


def _whole_file(reason: str) -> Problem:
    return Problem(key="(file)", found="", allowed=reason)


def _refuse_unknown_sections(file: Path, values: dict[str, Any]) -> None:
    """Look at the top level ourselves: pydantic-settings takes keys such as _env_file for settings of its own."""
    unknown = [key for key in values if key not in Config.model_fields]
    if unknown:
        problems = (Problem(key=key, found="", allowed=f"unknown key; {_known_keys((key,))}") for key in unknown)
        raise ConfigError(file, tuple(problems))


def _anchor_paths(file: Path, values: dict[str, Any]) -> None:
    """Let relative paths count from the file's own folder, the default model's too."""
    classifier = values.setdefault("classifier", {})
    if isinstance(classifier, dict):
        classifier.setdefault("model", MODEL_NAME)
        for key in ("api_key_file", "ca_file"):
            _anchor(file, classifier.get("openai"), "classifier.openai", key)
        _anchor_embeddings(file, classifier.get("embeddings"))
        _anchor_members(file, classifier)
    for section, key in PATH_KEYS:
        _anchor(file, values.get(section), section, key)
    mailboxes = values.get("mailboxes")
    for name, mailbox in mailboxes.items() if isinstance(mailboxes, dict) else ():
        for key in ("password_file", "ca_file"):
            _anchor(file, mailbox, f"mailboxes.{name}", key)
        for key in OAUTH_PATHS if isinstance(mailbox, dict) else ():
            _anchor(file, mailbox.get("oauth"), f"mailboxes.{name}.oauth", key)


def _anchor_embeddings(file: Path, table: object) -> None:
    """Do so for the folder of an embedding model, and for the files that a server of vectors needs."""
    _anchor(file, table, "classifier.embeddings", "folder")
    if isinstance(table, dict):
        for key in ("api_key_file", "ca_file"):
            _anchor(file, table.get("server"), "classifier.embeddings.server", key)


def _anchor_members(file: Path, classifier: dict[str, Any]) -> None:
    """Do so for the model files of the classifiers that another is made of."""
    _anchor(file, classifier.get("fallback"), "classifier.fallback", "model")
    for name, keys in MEMBER_TABLES.items():
        table = classifier.get(name)
        if not isinstance(table, dict):
            continue
        for key in keys:
            given = table.get(key)
            for member in given if isinstance(given, list) else [given]:
                _anchor(file, member, f"classifier.{name}.{key}", "model")


def _anchor(file: Path, table: object, section: str, key: str) -> None:
    if not isinstance(table, dict) or not isinstance(table.get(key), str):
        return
    given = table[key]
    if not given or not given.isprintable():
        raise ConfigError(file, (Problem(key=f"{section}.{key}", found=repr(given), allowed="the path of a file or folder"),))
    try:
        table[key] = file.absolute().parent / Path(given).expanduser()
    except RuntimeError as error:  # ~somebody that this machine does not know
        raise ConfigError(file, (Problem(key=f"{section}.{key}", found=repr(given), allowed=str(error)),)) from error


def _problem(detail: ErrorDetails) -> Problem:
    key = _key(detail["loc"])
    kind, secret = detail["type"], any(word in key for word in SECRET_WORDS)
    if kind == "extra_forbidden":
        return Problem(key=key, found="", allowed=f"unknown key; {_known_keys(detail['loc'])}")
    if kind == "missing":
        return Problem(key=key, found="", allowed="is missing; config.example.toml shows it")
    found = "" if secret or isinstance(detail["input"], dict | list | tuple | BaseModel) else _short(detail["input"])
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(key=key, found=found, allowed=message[:1].lower() + message[1:])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 1] + "…"


def _key(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location if part != "[key]"]
    return "".join(parts).removeprefix(".") or "(file)"


def _known_keys(location: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = _section_of(model, part)
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"allowed: {', '.join(known)}"


def _section_of(model: type[BaseModel], field: str) -> type[BaseModel]:
    annotation = model.model_fields[field].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        bare = getattr(candidate, "__origin__", candidate)  # of Annotated[Section, ...]
        if isinstance(bare, type) and issubclass(bare, BaseModel):
            return bare
    return model
