"""Everything that a rehearsal found, put together before anybody writes it down. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cubbyd.classify.protocol import Prediction
from cubbyd.config import Config, FilingAction, Labels
from cubbyd.dataset.reading import Skips
from cubbyd.evaluation.score import Estimate
from cubbyd.evaluation.whole import Evaluation
from cubbyd.setup.expectation import (
    Circumstances,
    Share,
    Step,
    count_per_month,
    doubts,
    right_when_filed,
    share_by_category,
    try_thresholds,
)
from cubbyd.setup.filed import Filed, FiledMail
from cubbyd.setup.known import Training
from cubbyd.setup.leaving import Service, count_bytes

RULES: Final = "rules"
"""The kind that decides by the admin's own rules; such a mail is shown to nobody else."""
MOVING: Final = frozenset({FilingAction.MOVE, FilingAction.MOVE_LABEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read and asked."""

    filed: Filed
    skips: Skips
    missing: tuple[str, ...]
    training: Training
    left_out: int
    """Mails that were trained on."""
    may_be_known: int
    answered: tuple[tuple[FiledMail, Prediction], ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What one server would be sent."""

    service: Service
    asked: int
    """Of the mails of the rehearsal."""
    bytes_each: float
    """Of a mail that is sent, on average: its masked text with the question."""
    bytes_per_month: float | None
    mails_per_month: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What to expect."""

    config_file: str
    action: FilingAction
    evaluation: Evaluation
    seen: Seen
    steps: tuple[Step, ...]
    shares: tuple[Share, ...]
    right: Estimate | None
    """The share of what would be filed by itself that is right."""
    per_month: float | None
    """Mails; None where nothing can be said."""
    money_per_month: float | None
    """None where the prices or the mails of a month are not known."""
    has_prices: bool
    traffic: tuple[Traffic, ...]
    doubts: tuple[str, ...]
    precision: float

    @property
    def is_ready(self) -> bool:
        """Tell whether nothing speaks against moving mail."""
        return not self.doubts


def make_prospect(
    config: Config,
    evaluation: Evaluation,
    seen: Seen,
    *,
    now: datetime,
    mails_per_month: int | None,
    precision: float,
) -> Prospect:
    """Put together what to expect; `mails_per_month` is what the admin says, and counts before what was counted."""
    several = config.classifier.labels is Labels.MANY
    per_month = float(mails_per_month) if mails_per_month else count_per_month(seen.filed.folders, now)
    right = right_when_filed(evaluation.judged)
    circumstances = Circumstances(may_be_known=seen.may_be_known, moves_already=config.filing.action in MOVING)
    has_prices = all(service.has_prices for service in seen.services)
    money = None if per_month is None or not has_prices else float(evaluation.sheet.money.mean()) * per_month
    return Prospect(
        config_file=str(config.file),
        action=config.filing.action,
        evaluation=evaluation,
        seen=seen,
        steps=try_thresholds(evaluation.sheet.answers, several=several),
        shares=share_by_category(evaluation.judged),
        right=right,
        per_month=per_month,
        money_per_month=money,
        has_prices=has_prices,
        traffic=tuple(_traffic(service, seen.answered, per_month) for service in seen.services if not service.is_here),
        doubts=doubts(evaluation, right, circumstances, precision=precision),
        precision=precision,
    )


def _traffic(service: Service, answered: Sequence[tuple[FiledMail, Prediction]], per_month: float | None) -> Traffic:
    asked = [mail.given for mail, said in answered if _was_sent(service, said)]
    each = count_bytes(service, asked) / len(asked) if asked else 0.0
    mails = None if per_month is None else per_month * len(asked) / len(answered)
    return Traffic(
        service=service,
        asked=len(asked),
        bytes_each=each,
        bytes_per_month=None if mails is None else mails * each,
        mails_per_month=mails,
    )


def _was_sent(service: Service, said: Prediction) -> bool:
    """Tell whether a mail went to a server; one that a rule decided goes nowhere."""
    if said.provenance.kind == RULES:
        return False
    return service.asks_always or bool(said.request_id or said.cost.input_tokens)
