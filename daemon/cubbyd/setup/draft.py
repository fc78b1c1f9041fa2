"""The configuration that `cubbyd init` writes: its text, and how it gets its name, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cubbyd.config import FilingAction, MailboxSection, OAuthSection, Security, load_config
from cubbyd.config.model import MODEL_NAME
from cubbyd.errors import InputFileError
from cubbyd.setup.answer import Answers
from cubbyd.setup.proposal import Proposal

READABLE: Final = 0o644
"""Of the configuration: the service's own user has to read it, and no secret is in it."""
OWNER_ALONE: Final = 0o600

TIMEOUTS: Final = ("connect_timeout_seconds", "read_timeout_seconds")

ACTIONS: Final = {
    FilingAction.OBSERVE: "decide and record, change nothing; `cubbyd rehearse` says when it is time to change this",
    FilingAction.MOVE: "into the category's folder",
    FilingAction.LABEL: "the category's keyword; the mail stays in the inbox",
    FilingAction.MOVE_LABEL: "the category's keyword, and into its folder",
}


_HEAD: Final = (
    "# Written by cubbyd init; config.example.toml shows every key. Relative paths count from the folder of this file.\n"
    "# No password belongs in it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that is to be made."""

    file: Path
    content: str
    mode: int


def draft_config(answers: Answers, categories: Sequence[Proposal], folder: Path, model: Path | None = None) -> str:
    """Give the text of a configuration that lies in `folder`. No secret is in it.

    `model` is where training will put the model; else beside the configuration.
    """
    parts = [
        _HEAD,
        _draft_mailbox(answers, folder),
        _draft_filing(answers),
        _draft_classifier(model or folder / MODEL_NAME, folder),
    ]
    if answers.state_directory is not None:
        parts.append(f"[state]\ndirectory = {_text(str(answers.state_directory.absolute()))}")
    parts.append(
        "# One table for each category. id is what examples and models call it: do not change it later. A description of one\n"
        "# line helps people, and language models more than anything else does."
    )
    parts += [_draft_category(number, one) for number, one in enumerate(categories, start=1)]
    return "\n\n".join(parts) + "\n"


def _draft_mailbox(answers: Answers, folder: Path) -> str:
    mailbox = answers.mailbox
    lines = [f"[mailboxes.{answers.name}]", f"host = {_text(mailbox.host)}", f"port = {mailbox.effective_port}"]
    lines += [f"security = {_text(mailbox.security)}", f"username = {_text(mailbox.username)}"]
    if mailbox.oauth is None:
        lines.append(_draft_password(mailbox, folder))
    if mailbox.ca_file is not None:
        lines.append(f"ca_file = {_text(_near(mailbox.ca_file, folder))}")
    if mailbox.security is Security.PLAIN and mailbox.allow_plain_to_remote_host:
        lines.append("allow_plain_to_remote_host = true    # everybody on the way can read password and mail")
    lines += [f"inbox = {_text(mailbox.inbox)}", f"poll_seconds = {mailbox.poll_seconds}"]
    lines += [] if mailbox.idle else ["idle = false"]
    lines += [f"{key} = {getattr(mailbox, key)}" for key in TIMEOUTS if key in mailbox.model_fields_set]
    if mailbox.oauth is not None:
        lines += ["", f"[mailboxes.{answers.name}.oauth]   # docs/login.md", *_draft_oauth(mailbox.oauth, folder)]
    return "\n".join(lines)


def _draft_oauth(oauth: OAuthSection, folder: Path) -> Iterator[str]:
    """Write what was given, and no default."""
    for key in OAuthSection.model_fields:
        value = getattr(oauth, key)
        if key not in oauth.model_fields_set or value is None:
            continue
        if isinstance(value, int):
            yield f"{key} = {value}"
        else:
            yield f"{key} = {_text(_near(value, folder) if isinstance(value, Path) else value)}"


def _draft_password(mailbox: MailboxSection, folder: Path) -> str:
    if mailbox.password_file is not None:
        return f"password_file = {_text(_near(mailbox.password_file, folder))}   # mode 0600"
    if mailbox.password_credential is not None:
        name = mailbox.password_credential
        return f"password_credential = {_text(name)}   # a systemd credential of that name, or a file in /run/secrets"
    return f"password_env = {_text(mailbox.password_env or '')}   # an environment variable"


def _draft_filing(answers: Answers) -> str:
    others = ", ".join(f'"{action}"' for action in ACTIONS if action is not answers.action)
    return (
        f"[filing]\naction = {_text(answers.action)}   # {ACTIONS[answers.action]}\n"
        f"# The other actions: {others}.\n"
        'unsure = "stay"                      # mail below the threshold stays in the inbox; "review": goes to a folder\n'
        'backlog = "ignore"                   # mail that is there before the first start is left alone; "file": it is filed,\n'
        "                                     # newest first; a number, such as 7: only what came in so many days before"
    )


def _draft_classifier(model: Path, folder: Path) -> str:
    near = _text(_near(model, folder))
    return (
        "[classifier]\n"
        'kind = "local"                       # on this machine; nothing leaves the building. Others: docs/classifiers.md\n'
        f"model = {near:<28} # made by: cubbyd train examples.jsonl --out {MODEL_NAME}\n"
        "threshold = 0.5                      # 0 to 1; mail below it is held for people"
    )


def _draft_category(number: int, one: Proposal) -> str:
    seen = "" if one.mails is None else f"   # {one.mails} mails were in it"
    return (
        f"[[categories]]\nid = {_text(one.id)}\ncode = {number}\nname = {_text(one.name)}\n"
        f"description = {_text(one.description)}\nfolder = {_text(one.folder)}{seen}"
    )


def _near(file: Path, folder: Path) -> str:
    """Spell a path as the configuration's folder sees it, where it lies below that."""
    whole = Path(os.path.normpath(file.absolute()))
    with suppress(ValueError):
        return str(whole.relative_to(os.path.normpath(folder.absolute())))
    return str(whole)


def _text(value: str) -> str:
    """Spell a TOML string; JSON's escapes are TOML's too (TOML 1.0.0, "String"), but for the one letter 0x7F."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


# --- files -------------------------------------------------------------------------------------------------------------


def place_files(config: NewFile, *others: NewFile) -> None:
    """Make all files or none, each whole, and overwrite nothing; the configuration is loaded before anything has its name.

    Raises InputFileError where a file is there already or cannot be written, ConfigError where the text is no configuration.
    """
    with _written(config) as beside, ExitStack() as on_failure:
        load_config(beside)
        for one in others:
            with _written(one) as other:
                _give_name(other, one.file)
                on_failure.callback(one.file.unlink, missing_ok=True)
        _give_name(beside, config.file)
        on_failure.pop_all()


@contextmanager
def _written(new: NewFile) -> Iterator[Path]:
    """Write under a name of its own beside the file; what has no other name by the end is gone."""
    beside = new.file.with_name(f".{new.file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE), "w", encoding="utf-8") as stream:
            stream.write(new.content)
            stream.flush()
            os.fchmod(stream.fileno(), new.mode)
            os.fsync(stream.fileno())
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputFileError(new.file, f"cannot be written: {error.strerror}; choose another folder") from error
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def _give_name(beside: Path, file: Path) -> None:
    """Give a file its name in one step, unless that is taken: link(2) never overwrites.

    Where there are no hard links (FAT, some network drives) it is looked first, and then renamed. Raises InputFileError.
    """
    try:
        file.hardlink_to(beside)
    except OSError as error:
        if os.path.lexists(file):
            reason = "is there already, and nothing is overwritten; move it away, or choose another"
            raise InputFileError(file, reason) from error
        _rename(beside, file)


def _rename(beside: Path, file: Path) -> None:
    try:
        beside.rename(file)
    except OSError as error:
        raise InputFileError(file, f"cannot be written: {error.strerror}; choose another folder") from error
