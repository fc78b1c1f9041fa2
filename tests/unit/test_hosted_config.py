"""[classifier.openai]: where mail may go, with which key, and what is refused before anything is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.hosted import configure, opened
from tests.unit.configuration import fault, load

from cubbyd.classify.hosted.opening import open_hosted
from cubbyd.classify.registry import known_kinds, load_classifier
from cubbyd.config import OpenAISection, read_api_key
from cubbyd.config.hosted import OPENAI, normalize_base_url
from cubbyd.errors import EXIT_CONFIG, ConfigError

NOBODY = "http://127.0.0.1:9/v1"


def section(**keys: object) -> OpenAISection:
    return OpenAISection.model_validate({"model": "m", "api_key_env": "KEY", **keys})


def test_it_is_a_kind_of_classifier() -> None:
    assert "openai" in known_kinds()
    assert section().base_url == OPENAI
    assert section().mode == "auto"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com:443/v1", "https://api.openai.com/v1"),
        ("https://eu.example.org:8443/openai/v1//", "https://eu.example.org:8443/openai/v1"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://127.0.0.1:80/v1", "http://127.0.0.1/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("https://example.org", "https://example.org"),
    ],
)
def test_an_address_has_one_spelling(given: str, kept: str) -> None:
    assert normalize_base_url(given) == kept
    assert normalize_base_url(kept) == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.openai.com/v1",
        "http://api.openai.com/v1",
        "http://192.168.1.5:11434/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://localhost.evil.example/v1",
        "http://0x7f000001/v1",
        "http://2130706433/v1",
        "ftp://127.0.0.1/v1",
        "file:///etc/passwd",
        "https://user:secret@example.org/v1",
        "https://api.openai.com@evil.example/v1",
        "https://evil.example\\@api.openai.com/v1",
        "https://example.org/v1?key=1",
        "https://example.org/v1#x",
        "https://example.org/../v1",
        "https://example.org/%2e%2e/v1",
        "https://exam ple.org/v1",
        "https://example.org/v1\n",
        "https://ex\u0430mple.org/v1",
        "https://example.org:99999/v1",
        "https://[::1/v1",
        "https:///v1",
        "https://example.org/v1/chat/completions",
        "https://example.org/v1/decisions",
        "https://api.openai.com",
        "https://api.openai.com/v2",
    ],
)
def test_an_odd_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"must|address"):
        normalize_base_url(address)


def test_a_secret_in_the_address_is_not_repeated(tmp_path: Path) -> None:
    text = '[classifier.openai]\nmodel = "m"\nbase_url = "https://me:lettuce@example.org/v1"\napi_key_env = "K"\n'

    assert "lettuce" not in str(fault(tmp_path / "c.toml", text))


def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = str(fault(tmp_path / "c.toml", '[classifier.openai]\nmodel = "m"\napi_key = "sk-lettuce"\n'))

    assert "lettuce" not in said
    assert "api_key_file" in said


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('model = "m"', "found none of them"),
        ('model = "m"\napi_key_env = "A"\napi_key_file = "b"', "found api_key_file and api_key_env"),
        ('api_key_env = "A"', "classifier.openai.model: is missing"),
        ('model = "m"\napi_key_env = "A"\nmodell = 1', "did you mean model?"),
        ('model = "m"\napi_key_env = "A"\nmode = "embeddings"', "classifier.openai.mode"),
        ('model = "m"\napi_key_env = "A"\nmoney_per_day = 1.0', "needs price_per_million_input_tokens"),
        ('model = "m"\napi_key_env = "A"\nmoney_per_day = 0.0', "greater than 0"),
        ('model = "m"\napi_key_env = "A"\ncalls_per_day = 0', "classifier.openai.calls_per_day"),
        ('model = "m"\napi_key_env = "A"\nzero_data_retention = 1', "classifier.openai.zero_data_retention"),
        ('model = "m"\napi_key_env = "A"\norganization = "a\\r\\nb"', "classifier.openai.organization"),
    ],
)
def test_a_wrong_section_is_explained(tmp_path: Path, keys: str, said: str) -> None:
    assert said in str(fault(tmp_path / "c.toml", f"[classifier.openai]\n{keys}\n"))


def test_a_server_on_this_machine_needs_no_key(tmp_path: Path) -> None:
    local = OpenAISection.model_validate({"model": "m", "base_url": NOBODY})

    assert read_api_key(tmp_path / "c.toml", local, {"OPENAI_API_KEY": "sk-elsewhere"}).get_secret_value() == "none"


def test_a_key_follows_the_rules_of_passwords(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o644)
    file.write_text("sk-1\n")
    hosted = OpenAISection.model_validate({"model": "m", "api_key_file": file})
    with pytest.raises(ConfigError, match=r"classifier.openai.api_key_file: .* \(mode 0644\)"):
        read_api_key(tmp_path / "c.toml", hosted, {})
    file.chmod(0o600)
    assert read_api_key(tmp_path / "c.toml", hosted, {}).get_secret_value() == "sk-1"
    assert read_api_key(tmp_path / "c.toml", section(), {"KEY": "sk-2"}).get_secret_value() == "sk-2"
    for wrong in ("sk 3", "sk-\u00fc"):
        with pytest.raises(ConfigError, match="ASCII") as caught:
            read_api_key(tmp_path / "c.toml", section(), {"KEY": wrong})
        assert wrong not in str(caught.value)


def test_relative_key_files_count_from_the_configuration(tmp_path: Path) -> None:
    hosted = configure(tmp_path, NOBODY).classifier.openai

    assert hosted is not None
    assert hosted.api_key_file == tmp_path / "openai.key"


def test_the_kind_without_its_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"c\.toml: classifier\.openai: .*needs a table") as caught:
        load_classifier(load(tmp_path / "c.toml", '[classifier]\nkind = "openai"'))
    assert caught.value.exit_code == EXIT_CONFIG


# --- the gate -----------------------------------------------------------------------------------------------------------

NAMES_MAY_LEAVE = "[redaction]\nallow_names_to_leave_the_building = true\n"


def test_names_leave_only_where_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="zero_data_retention") as caught, opened(tmp_path, NOBODY, sections=NAMES_MAY_LEAVE):
        pass
    assert caught.value.exit_code == EXIT_CONFIG
    assert "names of children" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "sections"),
    [("", ""), ("zero_data_retention = true", ""), ("zero_data_retention = true", NAMES_MAY_LEAVE)],
)
def test_the_gate_lets_the_others_pass(tmp_path: Path, more: str, sections: str) -> None:
    with opened(tmp_path, NOBODY, more, sections) as classifier:
        assert classifier.batch_size == 1


def test_more_categories_than_the_endpoint_takes_are_refused(tmp_path: Path) -> None:
    config = configure(tmp_path, NOBODY)
    many = [{"id": f"c{code}", "code": code, "name": f"C{code}"} for code in range(1, 257)]
    larger = config.__class__(**(config.model_dump() | {"categories": many}))

    with pytest.raises(ConfigError, match="255 categories at most, and 256"):
        open_hosted(larger)


def test_without_the_package_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cubbyd.classify.hosted.opening.find_spec", lambda _: None)

    with pytest.raises(ConfigError, match=r"pip install 'cubbyd\[openai\]'"):
        open_hosted(configure(tmp_path, NOBODY))


def test_nothing_of_the_sdk_is_loaded_before_it_is_chosen() -> None:
    code = "import sys, cubbyd.config, cubbyd.classify.registry, cubbyd.classify.hosted.opening, cubbyd.service.daemon\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print({'openai', 'httpx2'} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "set()"


def test_what_an_answer_depends_on_changes_the_models_name(tmp_path: Path) -> None:
    names = set()
    for more in ("", 'model = "other"', 'mode = "schema"', "text_chars = 500", 'base_url = "http://127.0.0.1:10/v1"'):
        with opened(tmp_path, NOBODY, more) as classifier:
            names.add(classifier.provenance.model)
            assert classifier.provenance.kind == "openai"
            assert "prompt-1" in classifier.provenance.model
    assert len(names) == 5
