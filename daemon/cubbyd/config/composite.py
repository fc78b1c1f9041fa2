"""The sections of the classifiers that are made of others: which ones, and when each of them is asked."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from cubbyd.config.section import Number, Probability, Section, Switch, Whole

MEMBER_TABLES: Final = {
    "cascade": ("first", "then"),
    "shortlist": ("first", "then"),
    "ensemble": ("members",),
    "hierarchical": ("groups", "within"),
}
"""The tables of this module below [classifier], and their keys that name classifiers."""

WITHOUT_FILE: Final = frozenset({"openai", "rules", *MEMBER_TABLES}) - {"hierarchical"}
"""Kinds that read no model file: a `model` beside them would be taken for something else."""

FEWEST_MEMBERS: Final = 2


def _spelled_out(value: Any) -> Any:
    """Take "local" for {kind = "local"}."""
    if not isinstance(value, str | dict | MemberSection):
        raise ValueError('must be a kind, such as "local", or { kind = "local", model = "other.model" }')  # noqa: TRY004
    return {"kind": value} if isinstance(value, str) else value


class MemberSection(Section):
    """One classifier of several: its kind, and its model file where it is not the one of [classifier]."""

    kind: str = Field(min_length=1, max_length=100)
    model: Path | None = None

    @model_validator(mode="after")
    def _file_is_read(self) -> Self:
        if self.model is not None and self.kind in WITHOUT_FILE:
            where = "[[rules]]" if self.kind == "rules" else f"[classifier.{self.kind}]"
            raise ValueError(f'kind = "{self.kind}" reads no model file; its keys are in {where}; take model out here')
        return self

    def is_same(self, other: MemberSection) -> bool:
        """Tell whether both are one and the same classifier."""
        return (self.kind, self.model) == (other.kind, other.model)


class WeightedMemberSection(MemberSection):
    """One classifier of an ensemble, and how much it counts."""

    weight: Annotated[Number, Field(gt=0.0, le=1000.0)] = 1.0


Member = Annotated[MemberSection, BeforeValidator(_spelled_out)]
WeightedMember = Annotated[WeightedMemberSection, BeforeValidator(_spelled_out)]


class IfThenFails(StrEnum):
    """What becomes of a mail that the first is unsure of while the second gives no answer."""

    RETRY = "retry"  # it waits, and is asked about again
    KEEP_FIRST = "keep_first"  # what the first said holds


class _PairSection(Section):
    """Two classifiers, one after the other."""

    first: Member
    then: Member

    @model_validator(mode="after")
    def _two_of_them(self) -> Self:
        if self.first.is_same(self.then):
            raise ValueError(
                'first and then are the same classifier; name another, as in { kind = "local", model = "other.model" }'
            )
        return self


class CascadeSection(_PairSection):
    """The first answers everything; the second is asked where the first is unsure."""

    unsure_below: Probability = 0.8
    margin_below: Probability = 0.0
    if_then_fails: IfThenFails = IfThenFails.RETRY

    @model_validator(mode="after")
    def _second_is_asked(self) -> Self:
        if not (self.unsure_below or self.margin_below):
            raise ValueError("unsure_below and margin_below are both 0, so that `then` would never be asked")
        return self


class ShortlistSection(_PairSection):
    """The first names the likely categories; the second chooses among them."""

    size: Whole = Field(default=5, ge=2, le=100)
    sure_above: Probability = 0.95


class EnsembleSection(Section):
    """All are asked, and the weighted mean of their probabilities counts."""

    members: tuple[WeightedMember, ...]
    review_on_disagreement: Switch = False

    @model_validator(mode="after")
    def _several_different(self) -> Self:
        if len(self.members) < FEWEST_MEMBERS:
            raise ValueError(f"members: at least {FEWEST_MEMBERS} are needed, and {len(self.members)} given")
        twice = [kind for (kind, _), count in Counter((one.kind, one.model) for one in self.members).items() if count > 1]
        if twice:
            raise ValueError(f'members: "{twice[0]}" is there twice with one model; give it a greater weight instead')
        return self


class HierarchicalSection(Section):
    """First the group, then the category within it."""

    groups: Member | None = None
    """Who tells the groups apart; None: the model file's own."""
    within: Member | None = None
    """Who tells the categories of a group apart; None: the model file's own."""
    tried: Whole = Field(default=3, ge=1, le=50)
    enough: Probability = 0.99
