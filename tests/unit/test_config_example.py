"""The example file: it loads, documents every key, and what it shows is what holds without it."""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from tests.unit.configuration import CATEGORIES, MAILBOX, load

from cubbyd.config import (
    CascadeSection,
    CategorySection,
    ClassifierSection,
    Config,
    DigestSection,
    EmbeddingServerSection,
    EmbeddingsSection,
    EnsembleSection,
    FilingSection,
    HeartbeatSection,
    HierarchicalSection,
    LogSection,
    MailboxSection,
    MetricsSection,
    OAuthSection,
    OpenAISection,
    RedactionSection,
    RuleSection,
    ShortlistSection,
    StateSection,
    UrgentSection,
    load_config,
)

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"

SECTIONS: dict[str, type[BaseModel]] = {
    "mailboxes.office": MailboxSection,
    "mailboxes.office.oauth": OAuthSection,
    "filing": FilingSection,
    "classifier": ClassifierSection,
    "classifier.openai": OpenAISection,
    "classifier.embeddings": EmbeddingsSection,
    "classifier.embeddings.server": EmbeddingServerSection,
    "classifier.cascade": CascadeSection,
    "classifier.shortlist": ShortlistSection,
    "classifier.ensemble": EnsembleSection,
    "rules": RuleSection,
    "urgent": UrgentSection,
    "classifier.hierarchical": HierarchicalSection,
    "redaction": RedactionSection,
    "state": StateSection,
    "log": LogSection,
    "metrics": MetricsSection,
    "digest": DigestSection,
    "heartbeat": HeartbeatSection,
    "categories": CategorySection,
}
"""Each section's model by the name of its (first) table in the example."""


def example_tables() -> dict[str, str]:
    """The example's text by table; comments before a table belong to it, and of tables of one name the first counts."""
    tables: dict[str, str] = {}
    comments: list[str] = []
    name = ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"(?:# )?\[+([\w.]+)\]+", line):
            name = "" if header[1] in tables else header[1]
            if name:
                tables[name] = "\n".join(comments) + "\n"
            comments = []
        elif line.startswith("# ---"):
            name, comments = "", [line]
        elif name:
            tables[name] += line + "\n"
        else:
            comments.append(line)
    return tables


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """A section's keys as they are spelled in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def example_value(section: str, key: str) -> Any:
    config = load_config(EXAMPLE)
    if section == "mailboxes.office":
        return getattr(config.mailboxes["office"], key)
    if section == "categories":
        return getattr(config.categories[0], key)
    if section == "rules":
        return getattr(config.rules[0], key)
    return attrgetter(f"{section}.{key}")(config)


def test_the_example_loads() -> None:
    config = load_config(EXAMPLE)

    assert list(config.mailboxes) == ["office"]
    assert len(config.categories) == len(config.taxonomy) == 14
    assert len({category.folder for category in config.taxonomy}) == 14


def test_the_example_has_every_section() -> None:
    assert set(example_tables()) == set(SECTIONS)
    assert {name.split(".")[0] for name in SECTIONS} == set(Config.model_fields)


def test_the_table_for_tokens_that_the_example_only_shows_is_right_and_shows_the_defaults(tmp_path: Path) -> None:
    lines = example_tables()["mailboxes.office.oauth"].splitlines()
    shown = [line.removeprefix("# ") for line in lines if re.match(r"# \w+ = ", line)]
    others = ("client_secret_c", "client_secret_e", "certificate", "service_account", "ca_file")
    text = "\n".join(line for line in shown if not line.startswith(others))
    before = MAILBOX.replace('password_file = "office.password"\n', "")
    file = tmp_path / "cubbyd.toml"
    file.write_text(f"{before}\n[mailboxes.office.oauth]\n{text}\n{CATEGORIES}")

    section = load_config(file).mailboxes["office"].oauth

    assert section is not None
    for key in ("method", "scope", "authority", "authorization_url", "token_url", "timeout_seconds"):
        assert f"\n{key} = " in f"\n{text}"
        assert getattr(section, key) == OAuthSection.model_fields[key].default


@pytest.mark.parametrize(("section", "model"), SECTIONS.items(), ids=list(SECTIONS))
def test_the_example_documents_every_key(section: str, model: type[BaseModel]) -> None:
    text = example_tables()[section]

    documented = set(re.findall(r"^(?:# )?(\w+) +(?:=|\S)", text, flags=re.MULTILINE))

    assert set(keys_of(model)) <= documented


@pytest.mark.parametrize(("section", "model"), SECTIONS.items(), ids=list(SECTIONS))
def test_the_example_documents_no_key_that_does_not_exist(section: str, model: type[BaseModel]) -> None:
    assigned = set(re.findall(r"^(?:# )?(\w+) *= ", example_tables()[section], flags=re.MULTILINE))

    assert assigned <= set(keys_of(model))


def test_a_value_of_the_example_is_the_default() -> None:
    said_otherwise = {
        ("mailboxes.office", "password_file"),  # one of three, none of which has a default
        ("classifier.openai", "api_key_file"),
        *(("rules", key) for key in ("from_domain", "subject_words", "category")),  # no rule is there by default
        ("classifier.embeddings.server", "api_key_file"),
    }
    compared = 0
    for section, model in SECTIONS.items():
        active = set(re.findall(r"^(\w+) *= ", example_tables()[section], flags=re.MULTILINE))
        for key in active:
            default = keys_of(model)[key].get_default(call_default_factory=True)
            if default is PydanticUndefined or (section, key) in said_otherwise:
                continue
            if section == "categories" or key in ("port", "model"):
                continue  # what stands there is worked out of other keys: see the next test
            assert example_value(section, key) == default, f"{section}.{key}"
            compared += 1
    assert compared >= 15


def test_a_value_of_the_example_is_the_default_that_is_worked_out(tmp_path: Path) -> None:
    shown = load_config(EXAMPLE)
    first = shown.categories[0]
    bare = load(tmp_path / "cubbyd.toml")

    assert shown.mailboxes["office"].port == bare.mailboxes["office"].effective_port
    assert shown.classifier.model.name == ClassifierSection().model.name
    assert (
        first.category()
        == CategorySection(
            id=first.id, code=first.code, name=first.name, description=first.description, threshold=bare.classifier.threshold
        ).category()
    )
    assert first.shares_folder is CategorySection.model_fields["shares_folder"].default


def test_a_required_key_is_marked_in_the_example() -> None:
    text = example_tables()["mailboxes.office"]
    required = {key for key, field in MailboxSection.model_fields.items() if field.is_required()}

    assert required == set(re.findall(r"^(\w+) .*# required", text, flags=re.MULTILINE))


def test_the_limits_in_the_example_are_those_of_the_model() -> None:
    checked = 0
    for section, model in SECTIONS.items():
        for key, low, high in re.findall(r"^(\w+) *=.*# (\d+) to (\d+)", example_tables()[section], flags=re.MULTILINE):
            bounds = {type(bound).__name__: bound for bound in model.model_fields[key].metadata}
            assert (bounds["Ge"].ge, bounds["Le"].le) == (int(low), int(high)), f"{section}.{key}"
            checked += 1
    assert checked >= 4
