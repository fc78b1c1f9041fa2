"""What a model file tells of itself to people: its kind, its date, its categories, and the card that its trainer wrote.

The card stands inside of the file, as card.json, so that the two cannot be parted and the file's checksum covers it. It holds
numbers and names alone: no text of an example. How one is made is in cubbyd.training.card, how it reads in
cubbyd.cli.carded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from cubbyd.classify.container import CARD, demand, open_container, read_any_manifest, read_member

_Count = Annotated[int, Field(ge=0)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(_Part):
    """A number with the interval that holds 95 % of a bootstrap."""

    value: _Finite
    low: _Finite
    high: _Finite


class CategoryCard(_Part):
    """One category: what it was trained on, and how it fared; None where there is nothing to see."""

    id: str
    examples: _Count
    """How many different examples of it the model was trained on."""
    asked: _Count
    """How many held-out examples belong to it."""
    precision: Measured | None
    recall: Measured | None
    f1: Measured | None


class DataCard(_Part):
    """What the model was trained on."""

    file: str
    """The name of the file of examples, without its folders."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """The fingerprint of the examples (cubbyd.dataset.digest_examples)."""
    examples: _Count
    different: _Count
    """Those with a label that do not read the same as another."""
    origins: dict[str, _Count]
    """How many examples come from where, as the file says; "" where it does not say."""


class HeldOutCard(_Part):
    """How good the model is on examples that it was not trained on, by cross-validation."""

    method: str
    examples: _Count
    numbers: dict[str, Measured]
    """By name: accuracy, macro_f1, weighted_f1, log_loss in nats, calibration_error."""


class Card(_Part):
    """What the trainer says of a model."""

    kind: str
    format: int
    """The version of the file's format."""
    renderer: str
    created: AwareDatetime
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """How long training took, from reading the examples to this card."""
    seed: _Count
    settings: dict[str, JsonValue]
    """What the command line or the configuration chose: labels, heads, adapter, embedding model, groups."""
    data: DataCard
    held_out: HeldOutCard
    categories: tuple[CategoryCard, ...]
    versions: dict[str, str]
    """Of cubbyd, Python and the packages that trained it, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every kind of model file tells of itself."""

    kind: str
    version: int
    created: datetime
    categories: tuple[str, ...]
    accuracy: float | None
    """Held-out, 0 to 1; None where the file does not say."""
    card: Card | None
    """None where the program that wrote the file made none."""


class _Category(BaseModel):
    id: str


class _Group(BaseModel):
    categories: tuple[str, ...]


class _Quality(BaseModel):
    accuracy: _Finite


class _Said(BaseModel):
    """The part of a manifest that is read here; the kinds read theirs whole."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    version: int
    created: AwareDatetime
    categories: tuple[_Category, ...] = ()
    groups: tuple[_Group, ...] = ()
    quality: _Quality | None = None


_CARD: Final[TypeAdapter[Card]] = TypeAdapter(Card)


def read_about(file: Path) -> About:
    """Read what a model file of any kind says of itself.

    Raises ModelFileError where it is none or its checksum does not hold; whether a classifier can be made of it is for its
    own kind to say.
    """
    with open_container(file) as archive:
        said = _Said.model_validate(read_any_manifest(file, archive))
        card = _CARD.validate_json(read_member(archive, CARD)) if CARD in archive.namelist() else None
        demand(card is None or card.kind == said.kind, "the card of another kind")
        accuracy = said.quality.accuracy if said.quality else None
        if card is not None and "accuracy" in card.held_out.numbers:
            accuracy = card.held_out.numbers["accuracy"].value
        return About(
            kind=said.kind,
            version=said.version,
            created=said.created,
            categories=(*(one.id for one in said.categories), *(one for group in said.groups for one in group.categories)),
            accuracy=accuracy,
            card=card,
        )


def card_bytes(card: Card) -> dict[str, Any]:
    """Give a card as plain values, for JSON."""
    return card.model_dump(mode="json")
