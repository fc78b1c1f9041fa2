"""Categories: found by id, in the configuration's order; and the names that every mail server takes."""

from __future__ import annotations

import pytest

from cubbyd.errors import CommandRefused
from cubbyd.mailbox.folder import FolderNames
from cubbyd.taxonomy import KEYWORD, Category, CategoryId, Taxonomy, folder_problem


def category(name: str, code: int) -> Category:
    return Category(id=CategoryId(name), code=code, name=name, description="", folder=name, keyword=f"cubbyd-{name}")


BILLING, ABSENCE = category("billing", 2), category("absence", 1)
TAXONOMY = Taxonomy((BILLING, ABSENCE))


def test_categories_keep_the_order_of_the_configuration() -> None:
    assert list(TAXONOMY) == [BILLING, ABSENCE]
    assert TAXONOMY.ids == ("billing", "absence")
    assert len(TAXONOMY) == 2


def test_a_category_is_found_by_its_id_alone() -> None:
    assert TAXONOMY[CategoryId("absence")] is ABSENCE
    assert "absence" in TAXONOMY
    assert "Absence" not in TAXONOMY
    assert 1 not in TAXONOMY
    with pytest.raises(KeyError):
        TAXONOMY[CategoryId("meals")]


def test_two_taxonomies_of_the_same_categories_are_equal() -> None:
    assert Taxonomy((BILLING, ABSENCE)) == TAXONOMY
    assert Taxonomy((ABSENCE, BILLING)) != TAXONOMY


@pytest.mark.parametrize("folder", ["Billing", "A/B", "Kündigung & Ärger", "a", "1", "x" * 60, "a_b-c+d(e)", "日本語"])
def test_a_folder_that_every_server_takes(folder: str) -> None:
    assert folder_problem(folder) is None


@pytest.mark.parametrize(
    "folder",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        " a",
        "a ",
        "a/ b",
        "x" * 61,
        "a.b",
        "a%b",
        "a*b",
        'a"b',
        "a\\b",
        "~a",
        "#a",
        "{a}",
        "a\nb",
        "a\n",
        "a\x00",
        "🎈",
        "𝔸",
    ],
)
def test_a_folder_that_some_server_refuses(folder: str) -> None:
    assert folder_problem(folder) is not None


@pytest.mark.parametrize(
    ("keyword", "fits"),
    [
        ("$Label1", True),
        ("cubbyd-a_b.c", True),
        ("x" * 50, True),
        ("x" * 51, False),
        ("", False),
        ("a b", False),
        ("\\Seen", False),
        ("ä", False),
        ("a(b", False),
        ("a\n", False),
    ],
)
def test_a_keyword_is_an_atom(keyword: str, *, fits: bool) -> None:
    assert bool(KEYWORD.fullmatch(keyword)) is fits


@pytest.mark.parametrize(
    ("prefix", "delimiter", "spelled"),
    [
        ("", "/", "Office/Billing"),
        ("", ".", "Office.Billing"),
        ("INBOX.", ".", "INBOX.Office.Billing"),
        ("", "\\", "Office\\Billing"),
    ],
)
def test_a_folder_is_spelled_the_servers_way(prefix: str, delimiter: str, spelled: str) -> None:
    names = FolderNames(prefix=prefix, delimiter=delimiter)

    assert names.on_server("Office/Billing") == spelled
    assert names.on_server("Billing") == f"{prefix}Billing"
    assert names.in_configuration(spelled) == "Office/Billing"
    assert names.in_configuration("INBOX") == "INBOX"


def test_a_server_without_levels_takes_names_of_one_level() -> None:
    flat = FolderNames(delimiter=None)

    assert flat.on_server("Billing") == "Billing"
    with pytest.raises(CommandRefused, match="the server knows no folders inside folders"):
        flat.on_server("Office/Billing")
