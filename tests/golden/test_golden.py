"""Whole mails, hand-written after what real mail programs send, and what is read out of them.

Each case is a pair: NAME.eml and NAME.json (the message as parsed, and as rendered for a classifier). When a change of what
is read is meant, look at the difference it makes:

    python tests/golden/test_golden.py --update && git diff tests/golden

and raise cubbyd.message.render.RENDERER_VERSION where `rendered` changed: older models were trained on something else.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cubbyd.message import ClassifierInput, ParsedMessage, parse, render

HERE = Path(__file__).parent
MAILS = sorted(HERE.glob("*.eml"))


def _plain(value: ParsedMessage | ClassifierInput) -> dict[str, Any]:
    fields = asdict(value)
    fields.pop("message", None)  # the message that an input was made of stands beside it
    fields.pop("headers", None)  # raw, as they stand in the mail
    fields["flags"] = sorted(fields["flags"])
    if fields.get("date"):
        fields["date"] = fields["date"].isoformat()
    plain: dict[str, Any] = json.loads(json.dumps(fields))
    return plain


def _read(mail: Path) -> dict[str, Any]:
    message = parse(mail.read_bytes())
    return {"parsed": _plain(message), "rendered": _plain(render(message))}


def test_the_cases_are_there() -> None:
    """An empty folder would make the test below pass without a case."""
    assert len(MAILS) >= 60
    assert {mail.stem for mail in MAILS} == {expected.stem for expected in HERE.glob("*.json")}


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.stem)
def test_mail_is_read_as_written_down(mail: Path) -> None:
    """What is read out of the mail is what a person approved."""
    assert _read(mail) == json.loads(mail.with_suffix(".json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit(__doc__)
    for case in MAILS:
        case.with_suffix(".json").write_text(json.dumps(_read(case), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
