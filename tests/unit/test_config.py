"""A fault in the configuration is one sentence that names file and key, shows what was found, and tells what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.unit.configuration import CATEGORIES, MAILBOX, fault, load, refusal

from cubbyd.config import MailboxSection, load_config
from cubbyd.errors import EXIT_CONFIG, ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cubbyd.toml"


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ('[filing]\nactoin = "move"', "filing.actoin", "action"),
        ("[classifier]\ntreshold = 0.7", "classifier.treshold", "threshold"),
        ('[logg]\nlevel = "info"', "logg", "log"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(file: Path, text: str, key: str, near: str) -> None:
    error = fault(file, text)

    assert [problem.key for problem in error.problems] == [key]
    assert f"did you mean {near}?" in str(error)


def test_an_unknown_key_of_a_mailbox_or_a_category_is_named_with_its_place(file: Path) -> None:
    in_mailbox = fault(file, mailbox="hots = 'x'")
    in_category = fault(file, second="codee = 3")

    assert in_mailbox.problems[0].key == "mailboxes.office.hots"
    assert "did you mean host?" in str(in_mailbox)
    assert in_category.problems[0].key == "categories[2].codee"
    assert "did you mean code?" in str(in_category)
    assert "allowed: code, description, folder" in str(in_category)


def test_a_key_like_no_other_gets_the_list_of_those_allowed(file: Path) -> None:
    error = fault(file, "[log]\nzzz = 1")

    assert str(error).endswith("log.zzz: unknown key; allowed: format, level")


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        ("[filing]\naction = 'moove'", "filing.action", "'moove'", "'move', 'label', 'move+label' or 'observe'"),
        ("[filing]\naction = 7", "filing.action", "7", "'move', 'label', 'move+label' or 'observe'"),
        ("[filing]\nbacklog = 'all'", "filing.backlog", "'all'", 'give "ignore", "file", or a number of days, 1 to 36,500'),
        ("[filing]\nbacklog = 0", "filing.backlog", "0", 'give "ignore", "file", or a number of days, 1 to 36,500'),
        ("[filing]\nbacklog = true", "filing.backlog", "True", 'give "ignore", "file", or a number of days, 1 to 36,500'),
        ("[filing]\nunsure = 'ask'", "filing.unsure", "'ask'", "'stay' or 'review'"),
        ("[classifier]\nthreshold = 1.5", "classifier.threshold", "1.5", "less than or equal to 1"),
        ("[classifier]\nthreshold = nan", "classifier.threshold", "nan", "less than or equal to 1"),
        ("[classifier]\nthreshold = 'high'", "classifier.threshold", "'high'", "number"),
        ("[classifier]\nattempts = 0", "classifier.attempts", "0", "greater than or equal to 1"),
        ("[classifier]\nattempts = 2.5", "classifier.attempts", "2.5", "integer"),
        ("[classifier]\nmodel = 5", "classifier.model", "5", "path"),
        ("[log]\nlevel = 'loud'", "log.level", "'loud'", "'debug', 'info', 'warning' or 'error'"),
        ("[log]\nformat = 1", "log.format", "1", "'auto', 'json' or 'console'"),
        ("[filing]\nreview_folder = 'a%b'", "filing.review_folder", "'a%b'", "letters, digits, spaces"),
        ("[filing]\nfolder_prefix = 'a//b'", "filing.folder_prefix", "'a//b'", "separated by '/'"),
        ("[filing]\nreview_folder = ''", "filing.review_folder", "''", "letters, digits, spaces"),
    ],
)
def test_a_wrong_value_is_shown_beside_what_is_allowed(file: Path, text: str, key: str, found: str, allowed: str) -> None:
    error = fault(file, text)

    (problem,) = error.problems
    assert (problem.key, problem.found) == (key, found)
    assert allowed in problem.allowed
    assert f"{key}: found {found}; " in str(error)


@pytest.mark.parametrize(
    ("lines", "key", "found", "allowed"),
    [
        ("port = 70000", "port", "70000", "65535"),
        ("port = 'imap'", "port", "'imap'", "integer"),
        ("poll_seconds = 1", "poll_seconds", "1", "greater than or equal to 5"),
        ("idle = 'sometimes'", "idle", "'sometimes'", "boolean"),
        ("security = 'ssl'", "security", "'ssl'", "'tls', 'starttls' or 'plain'"),
        ("inbox = ''", "inbox", "''", "at least 1 character"),
        ("read_timeout_seconds = 901", "read_timeout_seconds", "901", "900"),
    ],
)
def test_a_wrong_value_of_a_mailbox_names_the_mailbox(file: Path, lines: str, key: str, found: str, allowed: str) -> None:
    (problem,) = fault(file, mailbox=lines).problems

    assert (problem.key, problem.found) == (f"mailboxes.office.{key}", found)
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("", 'port = "993"'),
        ("", "port = true"),
        ("", 'idle = "yes"'),
        ("", "idle = 1"),
        ("[classifier]\nthreshold = true", ""),
        ('[classifier]\nthreshold = "0.3"', ""),
        ("[classifier]\nattempts = '3'", ""),
    ],
)
def test_a_value_of_another_type_is_refused_and_never_guessed(file: Path, text: str, mailbox: str) -> None:
    # `threshold = true` would mean 1.0: nothing would ever be filed
    (problem,) = fault(file, text, mailbox=mailbox).problems

    assert problem.key.split(".")[-1] in ("port", "idle", "threshold", "attempts")


@pytest.mark.parametrize("threshold", [0, 1, 0.0, 1.0])
def test_a_whole_number_is_a_probability_too(file: Path, threshold: float) -> None:
    assert load(file, f"[classifier]\nthreshold = {threshold}").classifier.threshold == threshold


def test_several_faults_are_said_at_once_one_a_line(file: Path) -> None:
    error = fault(file, "[filing]\naction = 'moove'\n[log]\nlevel = 'loud'", mailbox="port = -1")

    assert {problem.key for problem in error.problems} == {"filing.action", "log.level", "mailboxes.office.port"}
    assert str(error).splitlines()[0] == f"{file}: 3 problems"
    assert len(str(error).splitlines()) == 4


@pytest.mark.parametrize("line", ['folder = "a*b"', 'keyword = "two words"', "unknown = 1", "threshold = 2"])
def test_one_fault_in_a_category_is_one_problem(file: Path, line: str) -> None:
    """Not also that there are too few categories, which is not so."""
    (problem,) = fault(file, first=line).problems

    assert problem.key.startswith("categories[1].")


def test_a_missing_key_is_named(file: Path) -> None:
    file.write_text('[mailboxes.office]\nhost = "h"\npassword_env = "P"\n' + CATEGORIES)
    error = refusal(file)

    (problem,) = error.problems
    assert (problem.key, problem.allowed) == ("mailboxes.office.username", "is missing; config.example.toml shows it")


@pytest.mark.parametrize(
    "text", [MAILBOX, CATEGORIES, "", MAILBOX + CATEGORIES.split("\n\n")[0], "categories = []\n" + MAILBOX]
)
def test_there_is_a_mailbox_and_two_categories(file: Path, text: str) -> None:
    file.write_text(text)

    error = refusal(file)

    assert {problem.key for problem in error.problems} <= {"mailboxes", "categories"}


@pytest.mark.parametrize(
    "text", ["mailboxes = 3", "categories = 'x'", "filing = 'move'", "[mailboxes]\nhost = 'h'", "classifier = []"]
)
def test_a_section_that_is_no_table_is_named(file: Path, text: str) -> None:
    file.write_text(text)

    error = refusal(file)

    assert any(problem.key.startswith(re.split(r"\W+", text.strip("["))[0]) for problem in error.problems)


def test_a_very_long_value_is_cut(file: Path) -> None:
    (problem,) = fault(file, f"[filing]\naction = '{'x' * 5000}'").problems

    assert len(problem.found) == 60
    assert problem.found.endswith("…")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[filing\naction = 1", "line 1"),
        ("a = ", "is no TOML"),
        ('[filing]\naction = "move"\naction = "label"', "is no TOML"),
    ],
)
def test_what_is_no_toml_is_said_with_its_place(file: Path, text: str, said: str) -> None:
    file.write_text(text)

    error = refusal(file)
    assert re.search("is no TOML", str(error))

    assert said in str(error)
    assert error.exit_code == EXIT_CONFIG


def test_a_file_that_is_not_utf8_is_no_toml(file: Path) -> None:
    file.write_bytes("# Kündigung".encode("latin-1"))

    assert re.search("is no TOML", str(refusal(file)))


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "nowhere.toml")

    assert str(caught.value) == (
        f"{tmp_path / 'nowhere.toml'}: (file): cannot be read: No such file or directory; give another with --config FILE"
    )
    assert caught.value.exit_code == EXIT_CONFIG


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


# --- mailboxes ---------------------------------------------------------------------------------------------------------


def test_a_password_in_the_file_is_refused_and_never_repeated(file: Path) -> None:
    error = fault(file, mailbox='password = "hunter2-lettuce"')

    assert "a password does not belong in this file" in str(error)
    assert "password_file" in str(error)
    assert "mailboxes.office" in str(error)
    assert "hunter2" not in str(error) + repr(error) + repr(error.problems)
    assert error.__suppress_context__, "pydantic's error, which repeats the input, must not be shown with ours"


@pytest.mark.parametrize("key", ["passwrd", "password_flie", "passwort"])
def test_a_misspelled_password_is_not_repeated_either(file: Path, key: str) -> None:
    error = fault(file, mailbox=f'{key} = "hunter2-lettuce"')

    assert f"mailboxes.office.{key}" in str(error)
    assert "hunter2" not in str(error) + repr(error.problems)


def test_a_password_at_the_wrong_level_is_not_repeated_either(file: Path) -> None:
    file.write_text('[mailboxes]\nhost = "h"\npassword = "hunter2-lettuce"\n' + CATEGORIES)

    error = refusal(file)

    assert "mailboxes.password" in str(error)
    assert "hunter2" not in str(error) + repr(error.problems)


def test_a_mailbox_has_exactly_one_password(file: Path) -> None:
    two = fault(file, mailbox='password_env = "P"')
    assert (
        "exactly one of password_file, password_credential, password_env, oauth (found password_file and password_env)"
        in str(two)
    )

    file.write_text('[mailboxes.office]\nhost = "h"\nusername = "u"\n' + CATEGORIES)
    assert re.search("exactly one of .* \\(found none of them\\)", str(refusal(file)))


def test_a_mailbox_is_named_by_letters_and_digits(file: Path) -> None:
    file.write_text(MAILBOX.replace("mailboxes.office", 'mailboxes."the office"') + CATEGORIES)

    error = refusal(file)

    (problem,) = error.problems
    assert (problem.key, problem.found) == ("mailboxes.the office", "'the office'")


def test_plain_text_to_another_machine_is_refused_unless_allowed(file: Path) -> None:
    error = fault(file, mailbox='security = "plain"')
    assert "readable to mail.example.org" in str(error)
    assert "allow_plain_to_remote_host" in str(error)

    allowed = load(file, mailbox='security = "plain"\nallow_plain_to_remote_host = true')
    assert allowed.mailboxes["office"].security == "plain"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_plain_text_to_this_machine_is_fine(host: str) -> None:
    section = MailboxSection.model_validate({"host": host, "username": "u", "password_env": "P", "security": "plain"})

    assert section.effective_port == 143


@pytest.mark.parametrize("host", ["localhost.example.org", "10.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "127.example.org"])
def test_what_only_looks_like_this_machine_is_another(host: str) -> None:
    with pytest.raises(ValueError, match="would send the password"):
        MailboxSection.model_validate({"host": host, "username": "u", "password_env": "P", "security": "plain"})


@pytest.mark.parametrize(("security", "port"), [("tls", 993), ("starttls", 143)])
def test_the_port_follows_from_the_security_where_it_is_not_given(file: Path, security: str, port: int) -> None:
    assert load(file, mailbox=f"security = '{security}'").mailboxes["office"].effective_port == port
    assert load(file, mailbox=f"security = '{security}'\nport = 1993").mailboxes["office"].effective_port == 1993


# --- categories --------------------------------------------------------------------------------------------------------


def test_a_category_is_spelled_by_its_name_and_id_where_nothing_else_is_said(file: Path) -> None:
    absence, billing = load(
        file, "[filing]\nfolder_prefix = 'Sorted'", second='folder = "Office/Money"\nkeyword = "$Money"'
    ).taxonomy

    assert (absence.folder, absence.keyword, absence.threshold) == ("Sorted/Absence", "cubbyd-absence", None)
    assert (billing.folder, billing.keyword) == ("Sorted/Office/Money", "$Money")


@pytest.mark.parametrize(
    ("key", "first", "second", "twice"),
    [
        ("id", 'id = "absence"\ncode = 1\nname = "A"', 'id = "absence"\ncode = 2\nname = "B"', "'absence'"),
        ("code", 'id = "a"\ncode = 7\nname = "A"', 'id = "b"\ncode = 7\nname = "B"', "'7'"),
        ("name", 'id = "a"\ncode = 1\nname = "Money"', 'id = "b"\ncode = 2\nname = "MONEY"', "'money'"),
        ("keyword", 'id = "a"\ncode = 1\nname = "A"\nkeyword = "K"', 'id = "b"\ncode = 2\nname = "B"\nkeyword = "k"', "'k'"),
        ("keyword", 'id = "a"\ncode = 1\nname = "A"', 'id = "b"\ncode = 2\nname = "B"\nkeyword = "Cubbyd-A"', "'cubbyd-a'"),
    ],
)
def test_no_two_categories_are_alike(file: Path, key: str, first: str, second: str, twice: str) -> None:
    file.write_text(f"{MAILBOX}\n[[categories]]\n{first}\n[[categories]]\n{second}\n")

    error = refusal(file)

    assert [problem.key for problem in error.problems] == ["categories"]
    assert f"two categories have the {key} {twice}; each needs its own" in str(error)


def test_a_folder_is_shared_only_where_both_say_so(file: Path) -> None:
    alone = fault(file, first='folder = "Family"', second='folder = "family"')
    assert "category 'absence' has the folder 'Family' of another category" in str(alone)
    assert "shares_folder = true" in str(alone)

    one_sided = fault(file, first='folder = "Family"\nshares_folder = true', second='folder = "family"')
    assert "category 'billing'" in str(one_sided)

    config = load(file, first='folder = "Family"\nshares_folder = true', second='folder = "Family"\nshares_folder = true')
    assert config.target_folders == ("Family",)


def test_a_folder_may_not_be_the_inbox(file: Path) -> None:
    category = fault(file, first='folder = "inbox"')
    assert "the folder 'inbox' is the inbox of mailbox 'office'" in str(category)

    own_inbox = fault(file, mailbox='inbox = "Absence"')
    assert "the folder 'Absence' is the inbox" in str(own_inbox)

    review = fault(file, '[filing]\nunsure = "review"\nreview_folder = "Inbox"')
    assert "the folder 'Inbox' is the inbox" in str(review)


def test_the_inbox_is_found_behind_the_prefix(file: Path) -> None:
    fault(file, '[filing]\nfolder_prefix = "Mail"', mailbox='inbox = "Mail/Absence"')

    assert (
        load(file, '[filing]\nfolder_prefix = "Mail"', first='folder = "Inbox"').taxonomy.categories[0].folder == "Mail/Inbox"
    )


@pytest.mark.parametrize(
    "folder", ["a.b", "a%", "*", "a/", "/a", "a//b", " a", "a ", "a\\\\b", 'a\\"b', "~a", "#a", "🎈", "x" * 61, "a\\tb"]
)
def test_a_folder_that_some_server_refuses_is_refused_here(file: Path, folder: str) -> None:
    error = fault(file, second=f'folder = "{folder}"')

    assert error.problems[0].key == "categories[2].folder"
    assert "each level of a folder has 1 to 60 letters" in error.problems[0].allowed


@pytest.mark.parametrize("folder", ["Kündigung & Ärger", "İstanbul", "a_b-c+d (e)", "A/B/C", "x" * 60, "1"])
def test_a_folder_that_every_server_takes_is_taken(file: Path, folder: str) -> None:
    assert load(file, second=f'folder = "{folder}"').taxonomy.categories[1].folder == folder


def test_a_name_that_cannot_be_a_folder_names_its_category(file: Path) -> None:
    # the folder is the name where none is given; of 14 categories the admin must learn which one is meant
    file.write_text(MAILBOX + CATEGORIES.replace('"Billing"', '"Billing: money"'))

    error = refusal(file)

    (problem,) = error.problems
    assert "billing" in str(problem).lower() or "categories[2]" in problem.key


@pytest.mark.parametrize("keyword", ["two words", "ärger", "a(b", "\\\\Seen", "", "-a", "x" * 51])
def test_a_keyword_is_an_ascii_word(file: Path, keyword: str) -> None:
    if not keyword:
        assert load(file, first='keyword = ""').taxonomy.categories[0].keyword == "cubbyd-absence"
        return
    error = fault(file, first=f'keyword = "{keyword}"')

    assert error.problems[0].key == "categories[1].keyword"
    assert "an IMAP keyword has 1 to 50 ASCII letters" in error.problems[0].allowed
