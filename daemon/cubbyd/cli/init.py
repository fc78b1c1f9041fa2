"""`cubbyd init`: from nothing to a configuration that has been seen to log in; nothing in the account changes."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cubbyd.cli.output import console, printable, say_json, table
from cubbyd.errors import CommandRefused, ConfigError, InputFileError, Problem

if TYPE_CHECKING:
    from cubbyd.cli.question import Login, Questions
    from cubbyd.config import FilingAction
    from cubbyd.mailbox.session import ImapMailbox
    from cubbyd.setup.answer import Answers
    from cubbyd.setup.capability import Consequence
    from cubbyd.setup.draft import NewFile
    from cubbyd.setup.proposal import Proposal, Proposals

USUAL: Final = (Path("cubbyd.toml"), Path("/etc/cubbyd/cubbyd.toml"))
"""Where the other commands look; a configuration there needs no --config."""
FEWEST_CATEGORIES: Final = 2
ENOUGH_TO_LEARN: Final = 50
"""Filed mails; with fewer there is nothing to train on, and nothing to measure with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known once all questions are answered."""

    answers: Answers
    server: str
    mail_in_inbox: int
    consequences: tuple[Consequence, ...]
    proposals: Proposals
    categories: tuple[Proposal, ...]

    @property
    def filed(self) -> int:
        """How many mails people have filed into the folders of the categories."""
        return sum(one.mails or 0 for one in self.categories)


@click.command()
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask nothing: a TOML file has the answers (docs/operations.md shows one).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; questions go to standard error.")
@click.pass_obj
def command(config_file: Path | None, *, answers_file: Path | None, as_json: bool) -> None:
    """Write a configuration: ask for the server, test the login, and propose a category for each folder of the account.

    The file is the one that --config names, else $CUBBYD_CONFIG, else ./cubbyd.toml. A file that is there is not
    overwritten, and nothing is written before the login worked. The account is only looked at. The password goes into a file
    of its own that nobody else can read, or stays where you say it is.

    \b
    Example:
      cubbyd init
      cubbyd --config /etc/cubbyd/cubbyd.toml init --answers answers.toml
    """
    from cubbyd.config import LogLevel, LogSection
    from cubbyd.service.log import configure_logging

    configure_logging(LogSection(level=LogLevel.WARNING))
    target = config_file or Path(os.environ.get("CUBBYD_CONFIG") or USUAL[0])
    _refuse_taken(target)
    if answers_file is not None:
        found, password = _follow(answers_file), None
    else:
        found, password = _converse(target, as_json=as_json)
    files = _write(target, found, password)
    if as_json:
        say_json(_facts(target, found, files))
        return
    if answers_file is not None:
        _say_account(found)
        _say_categories(found)
    _say_end(target, found, files)


def _refuse_taken(target: Path) -> None:
    """Look before anything is asked. Raises InputFileError."""
    if os.path.lexists(target):
        raise InputFileError(
            target, "is there already, and nothing is overwritten; move it away, or name another: cubbyd --config FILE init"
        )
    if not target.absolute().parent.is_dir():
        raise InputFileError(target, "cannot be written: there is no such folder; make it first")


# --- with a file of answers --------------------------------------------------------------------------------------------


def _follow(file: Path) -> Found:
    """Do what a file of answers says. Raises ConfigError, MailboxError."""
    from cubbyd.cli.signing import signed_in
    from cubbyd.mailbox import open_mailbox
    from cubbyd.service.account import make_account
    from cubbyd.setup.answer import read_answers
    from cubbyd.setup.proposal import propose, starter_proposals

    answers = read_answers(file)
    account = make_account(file, answers.name, answers.mailbox, answers.effective_state_directory)
    mailbox = open_mailbox(signed_in(account))
    try:
        exists = mailbox.select(answers.mailbox.inbox, read_only=True).exists
        _refuse_unknown(file, answers, mailbox)
        proposals = propose(mailbox, inbox=answers.mailbox.inbox, leave_out=answers.leave_out)
        names = mailbox.capabilities.names
    finally:
        mailbox.close()
    categories = starter_proposals() if answers.starter_categories else proposals.categories
    if len(categories) < FEWEST_CATEGORIES:
        allowed = (
            f"the account has {len(categories)} folders that can be categories, and {FEWEST_CATEGORIES} are needed; make "
            "folders, leave fewer out, or set starter_categories = true"
        )
        raise ConfigError(file, (Problem(key="leave_out", found="", allowed=allowed),))
    return _found(answers, account.server, exists, names, proposals, categories)


def _refuse_unknown(file: Path, answers: Answers, mailbox: ImapMailbox) -> None:
    """Refuse a folder to be left out that the account does not have: it is a slip of the pen. Raises ConfigError."""
    from cubbyd.setup.proposal import spell_for_configuration

    listed = mailbox.folders()
    known = {one.name.casefold() for one in listed} | {
        folder.casefold() for one in listed if (folder := spell_for_configuration(mailbox, one))
    }
    for folder in answers.leave_out:
        if folder.casefold() not in known:
            names = ", ".join(sorted(printable(one.name) for one in listed))
            raise ConfigError(file, (Problem(key="leave_out", found=repr(folder), allowed=f"no such folder; it has {names}"),))


def _found(
    answers: Answers,
    server: str,
    exists: int,
    names: frozenset[str],
    proposals: Proposals,
    categories: tuple[Proposal, ...],
) -> Found:
    from cubbyd.setup.capability import consequences_of

    return Found(
        answers=answers,
        server=server,
        mail_in_inbox=exists,
        consequences=consequences_of(names),
        proposals=proposals,
        categories=categories,
    )


# --- with a person -----------------------------------------------------------------------------------------------------


def _converse(target: Path, *, as_json: bool) -> tuple[Found, NewFile | None]:
    """Ask a person. Gives also the file of the password, where it was typed."""
    from cubbyd.cli.question import Questions
    from cubbyd.cli.signing import signed_in
    from cubbyd.mailbox import Account, open_mailbox
    from cubbyd.service.account import make_account

    questions = Questions(target.absolute().parent, aside=as_json)
    questions.say(f"This writes {target}. Nothing in the account changes; Ctrl-C ends it, and nothing is written.\n")

    def log_in(login: Login) -> ImapMailbox:
        questions.say(f"\nLogging in to {login.answers.mailbox.host} …")
        answers = login.answers
        if answers.mailbox.oauth is None:
            return open_mailbox(Account(name=answers.name, section=answers.mailbox, password=login.password))
        account = make_account(Path("your answers"), answers.name, answers.mailbox, answers.effective_state_directory)
        return open_mailbox(signed_in(account, paste=login.pastes, aside=as_json))

    login, mailbox = questions.log_in(log_in)
    try:
        found = _look_around(questions, login, mailbox, as_json=as_json)
    finally:
        mailbox.close()
    return found, _password_file(login)


def _look_around(questions: Questions, login: Login, mailbox: ImapMailbox, *, as_json: bool) -> Found:
    from cubbyd.setup.proposal import propose

    questions.say("  ✓ login accepted\n")
    inbox, exists = _ask_inbox(questions, mailbox)
    section = login.answers.mailbox.model_copy(update={"inbox": inbox})
    answers = login.answers.model_copy(update={"mailbox": section})
    proposals = propose(mailbox, inbox=inbox)
    server = f"{section.host}:{section.effective_port}"
    found = _found(answers, server, exists, mailbox.capabilities.names, proposals, proposals.categories)
    if not as_json:
        _say_account(found)
    return replace(found, categories=_ask_categories(questions, proposals))


def _ask_inbox(questions: Questions, mailbox: ImapMailbox) -> tuple[str, int]:
    while True:
        inbox = questions.ask("Folder to watch, as the server names it", "INBOX")
        try:
            return inbox, mailbox.select(inbox, read_only=True).exists
        except CommandRefused as error:
            questions.say(f"  ✗ {error}")


def _ask_categories(questions: Questions, proposals: Proposals) -> tuple[Proposal, ...]:
    """Show the categories that the folders make, and ask which are none. Raises click.Abort where none are left."""
    from cubbyd.cli.question import numbered
    from cubbyd.setup.proposal import starter_proposals

    proposed = proposals.categories
    if len(proposed) >= FEWEST_CATEGORIES:
        questions.say("Each of these folders makes a category:")
        for line in numbered([f"{printable(one.folder)}  ({one.mails} mails, id {one.id})" for one in proposed]):
            questions.say(line)
        without = questions.choose("Which are none? Their numbers", len(proposed))
        kept = tuple(one for number, one in enumerate(proposed, start=1) if number not in without)
        if len(kept) >= FEWEST_CATEGORIES:
            return kept
    starter = starter_proposals()
    questions.say(f"Fewer than {FEWEST_CATEGORIES} folders make a category.")
    if questions.confirm(f"Begin with the {len(starter)} categories of a sample facility?", default=True):
        return starter
    questions.say("Make some folders in the account, and call cubbyd init again.")
    raise click.Abort


def _password_file(login: Login) -> NewFile | None:
    from cubbyd.setup.draft import OWNER_ALONE, NewFile

    if login.keep_in is None or login.password is None:
        return None
    return NewFile(file=login.keep_in, content=login.password.get_secret_value() + "\n", mode=OWNER_ALONE)


# --- writing and saying ------------------------------------------------------------------------------------------------


def _write(target: Path, found: Found, password: NewFile | None) -> tuple[Path, ...]:
    """Write the configuration, and the password where it was typed; all or nothing. Raises InputFileError."""
    from cubbyd.setup.draft import READABLE, NewFile, draft_config, place_files

    text = draft_config(found.answers, found.categories, target.absolute().parent, _model(target))
    others = (password,) if password else ()
    place_files(NewFile(file=target, content=text, mode=READABLE), *others)
    return (target, *(one.file for one in others))


def _say_account(found: Found) -> None:
    click.echo(f"{found.server}: {found.mail_in_inbox} mails in {printable(found.answers.mailbox.inbox)}. The server has:")
    rows = [["✓" if one.offered else "-", one.ability, one.meaning] for one in found.consequences]
    console().print(table("", ["", "ability", "what follows"], rows))
    if found.proposals.left_out:
        click.echo("\nFolders that make no category:")
        for one in found.proposals.left_out:
            click.echo(f"  {printable(one.folder)}: {one.reason}")
    click.echo()


def _say_categories(found: Found) -> None:
    rows = [[one.id, one.name, one.folder, "-" if one.mails is None else one.mails] for one in found.categories]
    console().print(table("", ["category", "name", "folder", "mails"], rows))
    click.echo()


def _say_end(target: Path, found: Found, files: tuple[Path, ...]) -> None:
    click.echo(f"Wrote {' and '.join(map(str, files))}: {len(found.categories)} categories.")
    if name := found.answers.mailbox.password_credential:
        kept = "" if len(files) > 1 else "; it was not kept"
        click.echo(f"The password is read from the credential {name}{kept}.")
    if name := found.answers.mailbox.password_env:
        click.echo(f"The password is read from the environment variable {name}; it was not kept.")
    if found.answers.mailbox.oauth is not None:
        _say_tokens(found.answers)
    click.echo(f"A line under `description` of each category helps. {_say_action(found.answers.action)}")
    first, *then = _next(target, found)
    click.echo(f"Next: {first}")
    for one in then:
        click.echo(f"then: {one}")


def _say_tokens(answers: Answers) -> None:
    if answers.mailbox.oauth is not None and answers.mailbox.oauth.kind.needs_person:
        where = answers.effective_state_directory
        click.echo(f"Tokens are kept in {where}; a service with another state directory needs: cubbyd login {answers.name}")


def _say_action(action: FilingAction) -> str:
    if action == "observe":
        return "Nothing is moved before you change `action`."
    return f'Mail is filed as soon as it runs: action = "{action}".'


def _model(target: Path) -> Path:
    """Say where the model goes: beside the configuration; for a service, into its state directory, where its user may write."""
    from cubbyd.config.model import MODEL_NAME

    return Path(os.environ.get("STATE_DIRECTORY") or target.absolute().parent) / MODEL_NAME


def _next(target: Path, found: Found) -> list[str]:
    """Name the next commands, ready to be copied."""
    is_usual = target.absolute() in [file.absolute() for file in USUAL]
    call = "cubbyd" if is_usual else f"cubbyd --config {shlex.quote(str(target))}"
    model = shlex.quote(str(_model(target)))
    rest = [
        f"{call} dataset split examples.jsonl --80-20 --out sets",
        f"{call} train sets/train.jsonl --out {model}",
        f"{call} check",
        f"{call} rehearse --trained-on sets/train.jsonl",
    ]
    if found.filed >= ENOUGH_TO_LEARN:
        return [f"{call} dataset import imap:{found.answers.name} --out examples.jsonl", *rest]
    return [
        f"{call} dataset label MAILS --out examples.jsonl   (docs/labeling.md: too little mail is filed to learn from)",
        *rest,
    ]


def _facts(target: Path, found: Found, files: tuple[Path, ...]) -> dict[str, Any]:
    def plain(one: Proposal) -> dict[str, Any]:
        return {"id": one.id, "name": one.name, "folder": one.folder, "mails": one.mails}

    return {
        "file": str(target),
        "written": [str(file) for file in files],
        "mailbox": found.answers.name,
        "server": found.server,
        "mail_in_inbox": found.mail_in_inbox,
        "capabilities": [
            {"ability": one.ability, "offered": one.offered, "meaning": one.meaning} for one in found.consequences
        ],
        "categories": [plain(one) for one in found.categories],
        "left_out": [{"folder": one.folder, "reason": one.reason} for one in found.proposals.left_out],
        "action": str(found.answers.action),
        "next": _next(target, found),
    }
