"""Which folders of an account are read, and what their mails are labeled with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cubbyd.dataset.account import choose_folders
from cubbyd.dataset.reading import Meanings, Reading, Skips
from cubbyd.mailbox.folder import FolderNames
from cubbyd.mailbox.protocol import ListedFolder
from cubbyd.taxonomy import Category, CategoryId, Taxonomy

TAXONOMY = Taxonomy(
    tuple(
        Category(id=CategoryId(id_), code=code, name=id_, description="", folder=folder, keyword=id_)
        for code, (id_, folder) in enumerate([("absence", "Absence"), ("lunch", "Food"), ("allergy", "Food")], 1)
    )
)


@dataclass(frozen=True, slots=True)
class Names:
    """What an account says of its folders; nothing can be read in it."""

    listed: tuple[ListedFolder, ...]

    def folders(self) -> tuple[ListedFolder, ...]:
        return self.listed

    def name_on_server(self, folder: str) -> str:
        return FolderNames(prefix="INBOX.", delimiter=".").on_server(folder)

    def select(self, folder: str, *, read_only: bool) -> ListedFolder:
        raise AssertionError((folder, read_only))

    def all_uids(self) -> list[int]:
        raise AssertionError

    def fetch(self, uids: object) -> dict[int, object]:
        raise AssertionError(uids)


def chosen(*folders: tuple[str, str], every: bool = False, **given: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    listed = tuple(ListedFolder(name=name, delimiter=".", uses=frozenset(uses.split())) for name, uses in folders)
    reading = Reading(skips=Skips(), meanings=Meanings(taxonomy=TAXONOMY, given=given))
    found = choose_folders(Names(listed), reading, inbox="INBOX", every=every)  # type: ignore[arg-type]
    return {one.folder: one.label for one in found}, reading.skips.places


def test_the_configurations_folders_are_read_by_the_servers_names() -> None:
    found, skipped = chosen(("INBOX", ""), ("INBOX.Absence", "\\hasnochildren"), ("INBOX.Other", ""))

    assert found == {"INBOX.Absence": "absence"}
    assert skipped == {
        "the inbox: nobody has filed its mail": ["INBOX"],
        "folder of no category; name it in --map, or take --all-folders": ["INBOX.Other"],
    }


def test_a_folder_that_two_categories_share_says_neither() -> None:
    assert chosen(("INBOX.Food", ""))[1] == {"folder of several categories; say with --map which one is meant": ["INBOX.Food"]}
    assert chosen(("INBOX.Food", ""), Food="lunch")[0] == {"INBOX.Food": "lunch"}


@pytest.mark.parametrize("use", ["\\sent", "\\drafts", "\\trash", "\\junk", "\\all", "\\flagged"])
def test_a_special_folder_is_never_read_whatever_it_is_called(use: str) -> None:
    found, skipped = chosen(("INBOX.Absence", use), every=True, Absence="absence")

    assert found == {}
    assert list(skipped.values()) == [["INBOX.Absence"]]


@pytest.mark.parametrize(
    "name", ["Sent Items", "Gesendet", "Entwürfe", "Corbeille", "Correo no deseado", "SPAM", "Papierkorb", "ゴミ箱"]
)
def test_without_special_uses_such_folders_are_known_by_their_names(name: str) -> None:
    assert chosen((f"INBOX.{name}", ""), every=True)[0] == {}
    assert chosen((f"INBOX.{name}", ""), every=False, **{f"INBOX.{name}": "absence"})[0] == {f"INBOX.{name}": "absence"}


def test_all_folders_are_read_on_request_with_their_names_as_labels() -> None:
    assert chosen(("INBOX.Absence", ""), ("INBOX.Garden party", ""), every=True)[0] == {
        "INBOX.Absence": "absence",
        "INBOX.Garden party": "INBOX.Garden party",
    }
