"""The gate: on frozen labeled sets, masking never gets worse than was measured (docs/redaction.md has the numbers)."""

from __future__ import annotations

import pytest
from tests.redaction.labeled import NAMES, Marked, Score, from_sample, from_templates, measure

from cubbyd.redaction import load_vocabulary

FILLS = 3
SHAPES = ("EMAIL", "PHONE", "IBAN", "URL")
MOST_MASKED_FOR_NOTHING = 20.0
"""Words in 1,000."""


def score(mails: list[Marked], *, roster: bool) -> Score:
    return measure(mails, {"vocabulary": load_vocabulary(), "roster": roster})


@pytest.mark.parametrize("name", ["validation", "holdout", "holdout2"])
@pytest.mark.parametrize("roster", [True, False])
def test_what_names_somebody_is_masked(name: str, *, roster: bool) -> None:
    found = score(from_templates(name, FILLS), roster=roster)

    assert found.recall(NAMES) >= (0.97 if roster else 0.90), found.missed[:20]
    assert {kind: found.recall(kind) for kind in SHAPES} == dict.fromkeys(SHAPES, 1.0), found.missed[:20]
    assert found.recall("ADDRESS") >= 0.95, found.missed[:20]
    assert found.recall("BIRTHDATE") >= 0.97, found.missed[:20]
    assert found.for_nothing <= MOST_MASKED_FOR_NOTHING, found.wrong[:20]


def test_the_sample_mailbox_marked_by_hand_is_masked() -> None:
    found = score(from_sample(), roster=True)

    assert found.recall(NAMES) >= 0.98, found.missed[:20]
    assert found.for_nothing <= MOST_MASKED_FOR_NOTHING
    assert found.leaks == 0


def test_the_roster_finds_what_nothing_else_does() -> None:
    """The sets can tell the sources apart: without the lists of names much is missed, with the roster less."""
    from cubbyd.redaction.vocabulary import NOTHING

    mails = from_templates("validation", 1)
    bare = measure(mails, {"vocabulary": NOTHING, "roster": False}).recall(NAMES)
    with_roster = measure(mails, {"vocabulary": NOTHING, "roster": True}).recall(NAMES)
    everything = measure(mails, {"vocabulary": load_vocabulary(), "roster": True}).recall(NAMES)

    assert bare < with_roster < everything
