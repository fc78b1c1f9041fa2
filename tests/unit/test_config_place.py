"""Where the configuration lies, what its paths mean, and that nothing but the file counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.configuration import CATEGORIES, MAILBOX, fault, load, refusal

from cubbyd.config import ClassifierSection, find_config, load_config
from cubbyd.config.model import default_state_directory
from cubbyd.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cubbyd.toml"


@pytest.fixture
def no_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and nothing said in the environment."""
    monkeypatch.delenv("CUBBYD_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_the_one_given_else_the_environments_else_the_one_here(no_config: Path) -> None:
    here = no_config / "cubbyd.toml"
    here.touch()

    assert find_config(Path("given.toml"), {"CUBBYD_CONFIG": "named.toml"}) == Path("given.toml")
    assert find_config(None, {"CUBBYD_CONFIG": "named.toml"}) == Path("named.toml")
    assert find_config(None, {"CUBBYD_CONFIG": ""}).resolve() == here.resolve()
    assert find_config(None).resolve() == here.resolve()


@pytest.mark.skipif(Path("/etc/cubbyd/cubbyd.toml").exists(), reason="this machine has a configuration of cubbyd")
@pytest.mark.usefixtures("no_config")
def test_without_a_file_the_places_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(None)

    for place in ("$CUBBYD_CONFIG", "cubbyd.toml", "/etc/cubbyd/cubbyd.toml", "cubbyd init", "--config FILE"):
        assert place in str(caught.value)


def test_relative_paths_count_from_the_files_own_folder(file: Path, no_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[classifier]\nmodel = "models/a.model"\n[state]\ndirectory = "state"'
    load(file, text, mailbox='ca_file = "ca.pem"')

    (no_config / "elsewhere").mkdir()
    monkeypatch.chdir(no_config / "elsewhere")

    config = load_config(Path("../cubbyd.toml"))

    mailbox = config.mailboxes["office"]
    paths = [config.classifier.model, config.state.directory, mailbox.password_file, mailbox.ca_file]
    assert [path and path.resolve() for path in paths] == [
        no_config / name for name in ("models/a.model", "state", "office.password", "ca.pem")
    ]


def test_the_default_model_lies_beside_the_file_too(file: Path) -> None:
    assert load(file).classifier.model == file.parent / "cubbyd.model"


def test_absolute_paths_and_the_home_folder_stay(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/kim")

    config = load(file, '[classifier]\nmodel = "~/a.model"\n[state]\ndirectory = "/srv/state"')

    assert config.classifier.model == Path("/home/kim/a.model")
    assert config.state.directory == Path("/srv/state")


def test_the_home_folder_of_nobody_is_a_fault_of_the_key(file: Path) -> None:
    error = fault(file, '[classifier]\nmodel = "~no-such-user/a.model"')

    assert "classifier.model" in str(error)


def test_state_goes_where_systemd_says_else_to_the_users_state() -> None:
    everything = {"STATE_DIRECTORY": "/var/lib/cubbyd:/var/lib/other", "XDG_STATE_HOME": "/x", "HOME": "/home/kim"}

    assert default_state_directory(everything) == Path("/var/lib/cubbyd")
    assert default_state_directory({"XDG_STATE_HOME": "/x", "HOME": "/home/kim"}) == Path("/x/cubbyd")
    assert default_state_directory({"HOME": "/home/kim"}) == Path("/home/kim/.local/state/cubbyd")


def test_no_environment_variable_overrides_a_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = load(file, "[filing]\naction = 'label'")
    for name in ("FILING", "CUBBYD_FILING"):
        monkeypatch.setenv(name, '{"action": "observe"}')
    for name in ("FILING__ACTION", "CUBBYD_FILING__ACTION", "FILING_ACTION"):
        monkeypatch.setenv(name, "observe")
    monkeypatch.setenv("CLASSIFIER", '{"threshold": 0.0}')
    monkeypatch.setenv("LOG", '{"level": "debug"}')

    assert load_config(file) == without


@pytest.mark.parametrize("key", ["_env_file", "_secrets_dir", "_case_sensitive"])
def test_a_setting_of_the_settings_library_is_an_unknown_key_like_any_other(file: Path, key: str) -> None:
    file.write_text(f'{key} = "x"\n{MAILBOX}{CATEGORIES}')

    assert key in str(refusal(file))


def test_a_configuration_cannot_be_changed(file: Path) -> None:
    config = load(file)

    with pytest.raises(ValueError, match="frozen"):
        config.classifier = ClassifierSection()  # type: ignore[misc]  # that it cannot is what is tested
    with pytest.raises(ValueError, match="frozen"):
        config.classifier.threshold = 0.1  # type: ignore[misc]
