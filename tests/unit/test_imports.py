"""What is loaded only when it is needed: a command must not wait for it, and the daemon must not carry it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import PATIENCE_SECONDS
from tests.unit.configuration import load

from cubbyd.cli import COMMANDS
from cubbyd.cli.dataset import SUBCOMMANDS
from cubbyd.cli.finetune import SUBCOMMANDS as FINETUNE

TRAINING = {"sklearn", "scipy", "joblib"}
NEVER = {
    "msal",
    "requests",
    "google_auth_oauthlib",
    "cryptography",
    "faker",
    "spellchecker",
    "openai",
    "torch",
    "matplotlib",
    "tensorflow",
    "pandas",
    "onnx",
    "onnxruntime",
    "tokenizers",
}
HEAVY = (
    TRAINING
    | NEVER
    | {"numpy", "sqlalchemy", "alembic", "imapclient", "apscheduler", "pydantic", "selectolax", "pymap", "rich"}
)


def said_by(code: str) -> list[str]:
    """Run code in a fresh interpreter; give the lines that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
    return done.stdout.splitlines()


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter; give the packages that are loaded at its end."""
    report = "\nimport sys\nprint('\\nloaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    return set(said_by(code + report)[-1].removeprefix("loaded:").split())


def running(*arguments: str) -> str:
    """Code that runs the command line to its end."""
    return f"import sys\nfrom cubbyd.cli import cli\ntry:\n    cli({list(arguments)!r}, prog_name='cubbyd')\nexcept SystemExit:\n    pass\n"


def test_the_check_sees_what_is_loaded() -> None:
    assert {"numpy", "json"} <= loaded_by("import numpy, json")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_asking_what_cubbyd_can_do_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(running(*arguments)) & HEAVY == set()


def test_the_help_of_no_command_loads_training_or_numpy() -> None:
    """All of them in one process: what one loads, the next would find."""
    loaded = loaded_by("\n".join(running(command, "--help") for command in COMMANDS))

    assert loaded & (TRAINING | NEVER | {"numpy"}) == set()
    assert "cubbyd" in loaded


def test_the_help_of_no_dataset_command_loads_training_or_the_mailbox() -> None:
    loaded = loaded_by("\n".join(running("dataset", command, "--help") for command in SUBCOMMANDS))

    assert loaded & (TRAINING | NEVER | {"imapclient", "sqlalchemy"}) == set()


def test_the_help_of_no_finetune_command_loads_training_or_the_vendors_sdk() -> None:
    loaded = loaded_by("\n".join(running("finetune", command, "--help") for command in FINETUNE))

    assert loaded & (TRAINING | NEVER | {"numpy", "imapclient", "sqlalchemy"}) == set()


def test_reading_a_table_loads_no_mailbox_and_no_training(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,y\n")
    loaded = loaded_by(running("dataset", "import", str(tmp_path / "a.csv"), "--out", str(tmp_path / "e.jsonl")))

    assert (tmp_path / "e.jsonl").exists()
    assert loaded & (TRAINING | NEVER | {"numpy", "imapclient", "sqlalchemy", "selectolax"}) == set()


def test_the_daemon_and_the_local_classifier_load_no_training() -> None:
    loaded = loaded_by(
        "import cubbyd.service.daemon, cubbyd.classify.registry, cubbyd.classify.local, cubbyd.classify.modelfile, "
        "cubbyd.classify.hierarchical"
    )

    assert loaded & (TRAINING | NEVER) == set()
    assert {"numpy", "sqlalchemy", "imapclient"} <= loaded, "or the daemon was not loaded at all"


def test_a_daemon_that_is_not_calibrated_loads_nothing_for_it() -> None:
    loaded = loaded_by("import cubbyd.service.daemon, cubbyd.classify.registry, cubbyd.filing")

    assert "numpy" not in loaded
    assert "numpy" in loaded_by("import cubbyd.classify.calibrated"), "or this would prove nothing"


def test_a_daemon_without_metrics_loads_nothing_for_them() -> None:
    loaded = loaded_by("import cubbyd.service.daemon")

    assert "prometheus_client" not in loaded
    assert "prometheus_client" in loaded_by("import cubbyd.service.meter"), "or this would prove nothing"


def test_a_calibrated_daemon_loads_no_training() -> None:
    assert loaded_by("import cubbyd.service.daemon, cubbyd.classify.calibrated") & (TRAINING | NEVER) == set()


def test_rules_alone_with_the_urgent_net_load_no_numpy(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    load(file, '[classifier]\nkind = "rules"\n[[rules]]\nname = "a"\nto = "a@b.example"\ncategory = "billing"')

    loaded = loaded_by(
        "from pathlib import Path\nfrom cubbyd.config import load_config\nfrom cubbyd.classify.registry import load_classifier\n"
        f"load_classifier(load_config(Path({str(file)!r})))\n"
    )

    assert loaded & (TRAINING | NEVER | {"numpy"}) == set()
    assert "pydantic" in loaded, "or nothing was loaded at all"


def test_the_doubles_load_no_sdk_until_the_stand_in_is_asked_for() -> None:
    assert loaded_by("import cubbyd.testing") & (TRAINING | NEVER) == set()
    assert loaded_by("from cubbyd.testing import Standin") & (TRAINING | NEVER) == set()
    assert "openai" in loaded_by("from cubbyd.testing import Standin\nStandin({})")


def test_a_stand_in_without_the_sdk_names_the_command_that_installs_it() -> None:
    without = "import sys\nsys.modules['openai'] = None\n"
    code = f"{without}from cubbyd.errors import CubbydError\nfrom cubbyd.testing import Standin\ntry:\n    Standin({{}})\nexcept CubbydError as e:\n    print(e)\n"

    assert "pip install 'cubbyd[openai]'" in " ".join(said_by(code))


def test_the_embeddings_classifier_loads_no_training_and_no_runtime_that_a_server_does_not_need() -> None:
    loaded = loaded_by(
        "import cubbyd.classify.embedding.opening, cubbyd.classify.embedding.classifier, cubbyd.classify.embedding.model\n"
        "import cubbyd.classify.embedding.onnx, cubbyd.classify.embedding.cache"
    )

    assert loaded & (TRAINING | NEVER) == set()


def test_a_state_file_of_today_is_opened_without_the_tool_that_migrates(tmp_path: Path) -> None:
    open_it = f"from pathlib import Path\nfrom cubbyd.journal import open_database\nopen_database(Path({str(tmp_path)!r})).dispose()\n"

    assert "alembic" in loaded_by(open_it), "it was made"
    assert "alembic" not in loaded_by(open_it), "it was there"


def test_the_message_side_loads_nothing_of_the_rest() -> None:
    loaded = loaded_by("import cubbyd.message.parser, cubbyd.message.render")

    assert loaded & (HEAVY - {"selectolax"}) == set()
