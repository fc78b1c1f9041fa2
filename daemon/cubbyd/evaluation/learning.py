"""What a learning curve says: would more examples help? Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cubbyd.evaluation.comparison import paired_difference
from cubbyd.evaluation.metric import Integers, Truths
from cubbyd.evaluation.score import HIGH, LOW, Estimate, draw_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How a model did that was trained on so many examples."""

    examples: int
    right: Truths
    """Shape (mails of the test set,)."""
    groups: Integers

    @property
    def accuracy(self) -> Estimate:
        """The share told right, with its interval over groups."""
        drawn = [float(weights @ self.right / weights.sum()) for weights in draw_weights(self.groups)]
        value, (low, high) = float(self.right.mean()), np.percentile(drawn, [LOW, HIGH])
        return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Models of growing parts of the training mail, on the same test set; the smallest first."""

    steps: tuple[Step, ...]

    @property
    def last_gain(self) -> Estimate | None:
        """What the last step brought, in accuracy; None where there are not two steps."""
        if len(self.steps) < 2:  # noqa: PLR2004
            return None
        before, last = self.steps[-2:]
        return paired_difference(last.right, before.right, last.groups)

    @property
    def sentence(self) -> str:
        """Whether more examples would help, as far as the last step can tell."""
        gain = self.last_gain
        if gain is None:
            return "There are too few training examples for a learning curve."
        before, last = self.steps[-2:]
        seen = (
            f"from {before.examples} to {last.examples} training examples the share told right changed by "
            f"{100 * gain.value:+.1f} points (between {100 * gain.low:+.1f} and {100 * gain.high:+.1f})"
        )
        if gain.low > 0:
            return f"Yes, more examples would help: {seen}. As many again usually bring a little less than that."
        if gain.high < 0.02:  # noqa: PLR2004
            return f"Hardly: {seen}. Better labels, or another kind of classifier, will do more than further examples."
        return f"That cannot be told: {seen}. A larger test set would tell."
