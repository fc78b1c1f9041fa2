"""Training, evaluation and serving give a model the same text of the same mail: what was learned is what is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.mail import RECEIVED, mail
from tests.rig import Office
from tests.unit.configuration import load

from cubbyd.classify import feature, local
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import save_model
from cubbyd.cli import cli
from cubbyd.clock import SystemClock
from cubbyd.dataset import read_examples
from cubbyd.message.model import ClassifierInput
from cubbyd.testing import FakeServer
from cubbyd.training import local as trainer

SUBJECT = "Re: AW: Größe 🍼 [CHILD_1]"
BODY = "Milo bleibt heute zu Hause.\n\nLG\nJana\n\nAm 19.11.2026 um 09:00 schrieb Kita <kita@facility.example>:\n> Wie geht es Milo?"


def seen_by(monkeypatch: pytest.MonkeyPatch, module: object) -> list[ClassifierInput]:
    """Note down every input whose features a module counts."""
    seen: list[ClassifierInput] = []

    def count(given: ClassifierInput) -> feature.Counts:
        seen.append(replace(given, sender=""))  # an example has none
        return feature.count_features(given)

    monkeypatch.setattr(module, "count_features", count)
    return seen


def test_the_three_ways_end_in_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"subject": SUBJECT, "body": BODY, "label": "absence"}
    others = [{"text": f"invoice number {number}", "label": "billing"} for number in range(5)]
    file = tmp_path / "examples.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in [pair, *[{**pair, "body": f"{n} {BODY}"} for n in range(5)], *others]))
    config = load(tmp_path / "cubbyd.toml")

    trained = seen_by(monkeypatch, trainer)
    model = trainer.train_local(list(read_examples(file)))
    save_model(model, config.classifier.model, created=SystemClock().now())

    evaluated = seen_by(monkeypatch, local)
    only = tmp_path / "only.jsonl"
    only.write_text(json.dumps(pair))
    done = CliRunner().invoke(cli, ["--config", str(tmp_path / "cubbyd.toml"), "classify", "--jsonl", str(only), "--json"])
    assert done.exit_code == 0, done.output

    served = seen_by(monkeypatch, local)
    server = FakeServer()
    server.deliver(
        mail(SUBJECT, body=BODY).replace(b"Subject:", b"Content-Type: text/plain; charset=utf-8\r\nSubject:"), RECEIVED
    )
    Office(state=tmp_path / "state", connect=server.connect, classifier=LocalClassifier(model)).run()

    assert trained[0] == evaluated[0] == served[0]
    assert trained[0].text == "Milo bleibt heute zu Hause."
