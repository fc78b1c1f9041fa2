"""Setting up: which folders make categories, what a server's abilities mean, and a configuration that is whole or not there."""

from __future__ import annotations

import errno
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cubbyd.cli.question import credential_files
from cubbyd.config import FilingAction, MailboxSection, Security, load_config
from cubbyd.dataset.account import Listed
from cubbyd.errors import ConfigError, InputFileError
from cubbyd.mailbox.folder import FolderNames
from cubbyd.mailbox.protocol import FolderStatus, ListedFolder
from cubbyd.setup.answer import Answers, read_answers
from cubbyd.setup.capability import consequences_of
from cubbyd.setup.draft import NewFile, draft_config, place_files
from cubbyd.setup.proposal import Proposal, Proposals, propose, starter_proposals

TWO = (
    Proposal(id="absence", name="Absence", folder="Absence", mails=3),
    Proposal(id="billing", name="Billing", folder="Money/Billing", mails=0),
)


@dataclass(frozen=True, slots=True)
class Tree:
    """What an account says of its folders: names with how many mails are in each."""

    mails: dict[str, int]
    uses: dict[str, str]
    names: FolderNames = FolderNames(prefix="INBOX.", delimiter=".")  # noqa: RUF009  (it is frozen)

    def folders(self) -> list[Listed]:
        return [
            ListedFolder(name=name, delimiter=self.names.delimiter or "", uses=frozenset(self.uses.get(name, "").split()))
            for name in self.mails
        ]

    def name_on_server(self, folder: str) -> str:
        return self.names.on_server(folder)

    def status(self, folder: str) -> FolderStatus | None:
        mails = self.mails.get(self.name_on_server(folder))
        return None if mails is None else FolderStatus(uidvalidity=1, exists=mails)


def look(mails: dict[str, int], *, leave_out: tuple[str, ...] = (), names: FolderNames | None = None, **uses: str) -> Proposals:
    tree = Tree(mails, {name.replace("_", "."): use for name, use in uses.items()})
    return propose(Tree(mails, tree.uses, names) if names else tree, inbox="INBOX", leave_out=leave_out)


def reasons(found: Proposals) -> dict[str, str]:
    return {one.folder: one.reason for one in found.left_out}


def mailbox(**more: object) -> MailboxSection:
    return MailboxSection(**{"host": "mail.example.org", "username": "office", "password_credential": "office"} | more)


def test_each_folder_that_people_file_into_makes_a_category_by_the_name_that_a_configuration_has_for_it() -> None:
    found = look({"INBOX": 9, "INBOX.Eltern.Krank gemeldet": 4, "INBOX.Rechnungen": 2, "INBOX.Eltern": 0})

    assert [(one.id, one.name, one.folder, one.mails) for one in found.categories] == [
        ("krank-gemeldet", "Krank gemeldet", "Eltern/Krank gemeldet", 4),
        ("rechnungen", "Rechnungen", "Rechnungen", 2),
    ]
    assert reasons(found) == {"INBOX": "the inbox itself", "INBOX.Eltern": "holds folders, and no mail"}


def test_an_empty_folder_that_somebody_made_on_purpose_counts() -> None:
    assert [one.folder for one in look({"INBOX.New": 0}).categories] == ["New"]


def test_special_folders_make_none_whether_marked_or_named() -> None:
    found = look(
        {"INBOX.Out": 5, "INBOX.Gesendet": 5, "INBOX.Old": 5, "INBOX.Archiv": 5, "INBOX.Food": 5},
        INBOX_Out="\\sent",
        INBOX_Old="\\archive",
    )

    assert [one.folder for one in found.categories] == ["Food"]
    assert reasons(found) == {
        "INBOX.Archiv": "an archive, with mail of every sort",
        "INBOX.Gesendet": "folder of sent mail",
        "INBOX.Old": "an archive, with mail of every sort",
        "INBOX.Out": "folder of sent mail",
    }


def test_folders_of_others_and_names_that_no_configuration_takes_are_said() -> None:
    found = look({"shared.Money": 1, "INBOX.What?": 1, "INBOX.food": 1, "INBOX.Food": 2})

    assert len(found.categories) == 1
    assert reasons(found)["shared.Money"] == "belongs to somebody else, or to several"
    assert "rename it" in reasons(found)["INBOX.What?"]
    assert "another folder has this name" in str(reasons(found).values())


def test_what_is_left_out_may_be_spelled_as_the_server_or_as_the_configuration_does() -> None:
    found = look({"INBOX.A.B": 1, "INBOX.C": 1, "INBOX.D": 1}, leave_out=("a/b", "INBOX.C"))

    assert [one.folder for one in found.categories] == ["D"]


def test_two_folders_of_one_name_and_one_without_a_latin_letter_get_ids_of_their_own() -> None:
    found = look({"INBOX.A.Bills": 1, "INBOX.B.Bills": 1, "INBOX.B.Äpfel": 1, "INBOX.Еда": 1})

    assert [one.id for one in found.categories] == ["bills", "b-bills", "aepfel", "category-4"]
    assert [one.name for one in found.categories] == ["Bills", "B - Bills", "Äpfel", "Еда"]


LEVEL = st.text(st.sampled_from("aAbB1 -ÄЖ?"), min_size=1, max_size=70)


@given(st.dictionaries(st.lists(LEVEL, min_size=1, max_size=3).map("/".join), st.integers(0, 3), min_size=2, max_size=12))
def test_whatever_the_folders_are_called_two_of_them_make_a_configuration_that_loads(
    tmp_path_factory: pytest.TempPathFactory, mails: dict[str, int]
) -> None:
    found = look(mails, names=FolderNames())
    if len(found.categories) < 2:
        return
    file = tmp_path_factory.mktemp("drafted") / "cubbyd.toml"
    file.write_text(draft_config(Answers(mailbox=mailbox()), found.categories, file.parent))

    config = load_config(file)

    assert [(one.id, one.folder) for one in config.taxonomy] == [(one.id, one.folder) for one in found.categories]


def test_a_server_without_anything_is_said_to_work_all_the_same_and_how() -> None:
    poor = {one.ability: one for one in consequences_of(frozenset())}
    rich = {one.ability: one for one in consequences_of(frozenset({"MOVE", "UIDPLUS", "IDLE"}))}

    assert not any(one.offered for one in poor.values())
    assert "struck through" in poor["UIDPLUS"].meaning
    assert "next poll" in poor["IDLE"].meaning
    assert rich["MOVE"].meaning == "mail is filed in one step"
    assert "struck through" not in consequences_of(frozenset({"MOVE"}))[1].meaning


def test_the_configuration_says_what_was_answered_and_never_a_password(tmp_path: Path) -> None:
    section = mailbox(
        username='of"fice',
        password_credential=None,
        password_file=tmp_path / "office.password",
        ca_file=Path("/elsewhere/ca.pem"),
        security=Security.STARTTLS,
        idle=False,
        read_timeout_seconds=30,
    )
    answers = Answers(name="nord", mailbox=section, action=FilingAction.LABEL, state_directory=tmp_path / "state")
    text = draft_config(answers, TWO, tmp_path)
    (tmp_path / "cubbyd.toml").write_text(text)

    config = load_config(tmp_path / "cubbyd.toml")

    assert config.mailboxes["nord"] == section.model_copy(update={"port": 143})
    assert tomllib.loads(text)["mailboxes"]["nord"]["password_file"] == "office.password", "it moves with its folder"
    assert config.filing.action is FilingAction.LABEL
    assert config.state.directory == tmp_path / "state"
    assert [(one.id, one.code, one.folder) for one in config.taxonomy] == [
        ("absence", 1, "Absence"),
        ("billing", 2, "Money/Billing"),
    ]
    assert "3 mails were in it" in text


def test_the_model_of_a_service_is_where_its_user_may_write_and_else_beside_the_configuration(tmp_path: Path) -> None:
    for model, written in ((None, "cubbyd.model"), (Path("/var/lib/cubbyd/cubbyd.model"), "/var/lib/cubbyd/cubbyd.model")):
        text = draft_config(Answers(mailbox=mailbox()), TWO, tmp_path, model)
        assert tomllib.loads(text)["classifier"]["model"] == written


def test_what_a_unit_hands_over_is_read_as_its_lines_are_written() -> None:
    assert credential_files({}) == {}
    lines = "office:/etc/cubbyd/office.password\nkitchen:/etc/my passwords/kitchen\nimported:host.credential\n"
    assert credential_files({"CUBBYD_CREDENTIAL_FILES": lines}) == {
        "office": Path("/etc/cubbyd/office.password"),
        "kitchen": Path("/etc/my passwords/kitchen"),
    }


def test_the_starter_categories_make_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "cubbyd.toml"
    file.write_text(draft_config(Answers(mailbox=mailbox()), starter_proposals(), tmp_path))

    assert len(load_config(file).taxonomy) == 14
    assert load_config(file).taxonomy.ids[0] == "absence"


def files(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_both_files_are_there_or_none_and_nothing_is_overwritten(tmp_path: Path) -> None:
    text = draft_config(Answers(mailbox=mailbox()), TWO, tmp_path)
    config = NewFile(file=tmp_path / "cubbyd.toml", content=text, mode=0o644)
    password = NewFile(file=tmp_path / "office.password", content="lettuce\n", mode=0o600)

    config.file.write_text("mine")
    with pytest.raises(InputFileError, match="nothing is overwritten"):
        place_files(config, password)
    assert files(tmp_path) == {"cubbyd.toml": "mine"}, "the password does not stay without its configuration"

    config.file.unlink()
    password.file.write_text("mine")
    with pytest.raises(InputFileError, match=r"office\.password"):
        place_files(config, password)
    assert files(tmp_path) == {"office.password": "mine"}

    password.file.unlink()
    with pytest.raises(ConfigError):
        place_files(NewFile(file=config.file, content="half a", mode=0o644), password)
    assert files(tmp_path) == {}, "what does not load gets no name"

    place_files(config, password)
    assert files(tmp_path) == {"cubbyd.toml": text, "office.password": "lettuce\n"}
    assert config.file.stat().st_mode & 0o777 == 0o644
    assert password.file.stat().st_mode & 0o777 == 0o600


def test_a_disk_without_hard_links_is_good_enough_and_nothing_is_overwritten_there_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    text = draft_config(Answers(mailbox=mailbox()), TWO, tmp_path)
    config = NewFile(file=tmp_path / "cubbyd.toml", content=text, mode=0o644)

    place_files(config)
    assert files(tmp_path) == {"cubbyd.toml": text}
    config.file.write_text("mine")
    with pytest.raises(InputFileError, match="nothing is overwritten"):
        place_files(config)
    assert files(tmp_path) == {"cubbyd.toml": "mine"}


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    text = draft_config(Answers(mailbox=mailbox()), TWO, tmp_path)
    with pytest.raises(InputFileError, match="choose another folder"):
        place_files(NewFile(file=tmp_path / "gone" / "cubbyd.toml", content=text, mode=0o644))


ANSWERS = 'name = "nord"\n[mailbox]\nhost = "h"\nusername = "u"\npassword_file = "p"\n'


def test_answers_are_read_from_a_file_and_paths_count_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text(f'state_directory = "s"\nleave_out = ["Old"]\n{ANSWERS}ca_file = "/ca"\n')

    answers = read_answers(tmp_path / "answers.toml")

    assert answers.mailbox.password_file == tmp_path / "p"
    assert answers.mailbox.ca_file == Path("/ca")
    assert answers.state_directory == tmp_path / "s"
    assert (answers.name, answers.action, answers.leave_out) == ("nord", FilingAction.OBSERVE, ("Old",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{ANSWERS}password = 'hunter2-lettuce'", "mailbox: a password does not belong in this file"),
        ('[mailbox]\nhost = "h"', "mailbox.username: is missing"),
        (f"leaveout = []\n{ANSWERS}", "leaveout: unknown key"),
        (f'action = "shred"\n{ANSWERS}', "action: found 'shred'; input should be 'move'"),
        (f'{ANSWERS}security = "plain"', "send the password and every mail readable to h"),
        ("[mailbox", "is no TOML"),
    ],
)
def test_a_wrong_answer_is_named_with_its_key_and_no_password_is_repeated(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "answers.toml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_answers(file)

    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "lettuce" not in str(caught.value)


def test_answers_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--answers FILE"):
        read_answers(tmp_path / "none.toml")
