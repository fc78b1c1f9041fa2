"""Curves from the probabilities that a backend gives to probabilities that hold, and their place in the calibration file.

Pure but for reading and writing the file. A curve belongs to one version of one backend (its provenance), thresholds to one
version of one backend with its curve: once either changes, what was measured no longer holds and is not used.

    {"format": "cubbyd-calibration", "version": 1, "calibrations": [...], "thresholds": [...]}

How curves are found is in cubbyd.evaluation.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cubbyd.classify.protocol import Provenance
from cubbyd.config import Labels
from cubbyd.errors import ConfigError, Problem
from cubbyd.taxonomy import CategoryId

FORMAT: Final = "cubbyd-calibration"
NEVER: Final = 1.0
"""The threshold of a category that no probability is enough for, but the certainty of a rule of the admin's."""

LEAST: Final = 1e-12
"""What a probability of 0 counts for where its logarithm is needed."""

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
CALIBRATE: Final = "make it again: remove it, then cubbyd calibrate EXAMPLES.jsonl"

Floats: TypeAlias = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0.0, le=1000.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-1000.0, le=1000.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    """What all parts of the file share: frozen, no unknown key, arrays as lists."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Temperature(_Part):
    """One number for all categories: below 1 it makes the classifier surer, above 1 less sure. The order never changes."""

    method: Literal["temperature"] = "temperature"
    temperature: Positive

    def apply(self, probabilities: Floats) -> Floats:
        """Take and give a row of probabilities a mail, (mails, categories); a row sums to 1, and what is 0 stays 0."""
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class Platt(_Part):
    """A logistic curve a category, against the rest (Platt 1999)."""

    method: Literal["platt"] = "platt"
    slopes: tuple[Positive, ...]
    offsets: tuple[Finite, ...]
    is_shared: bool
    """Whether a mail has one category, so that its probabilities are scaled to sum to 1; else each stands alone."""

    def apply(self, probabilities: Floats) -> Floats:
        """Take and give a row of probabilities a mail, (mails, categories); where they are shared, what is 0 stays 0."""
        logits = to_logit(probabilities) * np.array(self.slopes) + np.array(self.offsets)
        curved = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
        return share_out(np.where(probabilities > 0, curved, 0.0)) if self.is_shared else np.asarray(curved)


class Isotonic(_Part):
    """A rising curve of straight pieces a category, against the rest; rows are scaled to sum to 1 again."""

    method: Literal["isotonic"] = "isotonic"
    curves: tuple[tuple[tuple[Share, Share], ...], ...]
    """For each category, its points from left to right: the probability given, and the one that holds."""

    @model_validator(mode="after")
    def _curves_rise(self) -> Self:
        for curve in self.curves:
            pairs = list(pairwise(curve))
            if not curve or any(a[0] >= b[0] or a[1] > b[1] for a, b in pairs):
                raise ValueError("a curve of isotonic calibration does not rise from left to right")
        return self

    def apply(self, probabilities: Floats) -> Floats:
        """Take and give a row of probabilities a mail, (mails, categories); a row sums to 1, and what is 0 stays 0."""
        columns = []
        for column, curve in zip(probabilities.T, self.curves, strict=True):
            points = np.array(curve)
            columns.append(np.interp(column, points[:, 0], points[:, 1]))
        return share_out(np.where(probabilities > 0, np.stack(columns, axis=1), 0.0))


def share_out(scores: Floats) -> Floats:
    """Scale each row to sum to 1; a row of nothing is shared out evenly."""
    sums = scores.sum(axis=1, keepdims=True)
    return np.asarray(np.where(sums > 0, scores / np.where(sums > 0, sums, 1), 1 / scores.shape[1]))


Curve = Annotated[Temperature | Platt | Isotonic, Field(discriminator="method")]


def to_logit(probabilities: Floats) -> Floats:
    """Give log-odds; those of 0 and 1 are finite."""
    kept = np.clip(probabilities, LEAST, 1 - LEAST)
    return np.asarray(np.log(kept) - np.log1p(-kept))


class _Measured(_Part):
    """Something that was measured on labeled mail, for one version of one backend."""

    kind: str
    model: str
    renderer: str
    created: AwareDatetime
    examples: int = Field(ge=1)
    """How many labeled mails it was measured on."""

    def is_for(self, provenance: Provenance) -> bool:
        """Tell whether it was measured on exactly this version of a backend."""
        return (self.kind, self.model, self.renderer) == (provenance.kind, provenance.model, provenance.renderer)


class Calibration(_Measured):
    """The curve of one version of a backend."""

    categories: tuple[CategoryId, ...] = Field(min_length=2)
    """The columns of the curve."""
    curve: Curve
    error_before: Share
    """The expected calibration error of the probabilities as they are."""
    error_after: Share
    """That of calibrated ones, on mail that the curve was not found on."""

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        columns = {"temperature": None, "platt": "slopes", "isotonic": "curves"}[self.curve.method]
        if columns and len(getattr(self.curve, columns)) != len(self.categories):
            raise ValueError("the curves are not as many as the categories")
        if isinstance(self.curve, Platt) and len(self.curve.offsets) != len(self.categories):
            raise ValueError("the offsets are not as many as the categories")
        return self

    @property
    def digest(self) -> str:
        """Eight hex digits that change when a calibrated probability may."""
        said = self.model_dump_json(include={"categories", "curve"})
        return sha256(said.encode()).hexdigest()[:8]

    def apply(self, probabilities: Mapping[CategoryId, float]) -> dict[CategoryId, float]:
        """Calibrate one mail's probabilities."""
        row = np.array([[probabilities.get(category, 0.0) for category in self.categories]])
        return dict(zip(self.categories, self.curve.apply(row)[0].tolist(), strict=True)) if row.any() else dict(probabilities)


class Thresholds(_Measured):
    """From which probability each category is believed, so that a wanted share of what is filed there is right."""

    labels: Labels
    precision: Share
    """The share of right ones that was wanted."""
    confidence: Share
    """How sure one may be of it."""
    thresholds: dict[CategoryId, Share | Literal["never"]]

    @property
    def values(self) -> dict[CategoryId, float]:
        """The thresholds as numbers."""
        return {category: NEVER if given == "never" else given for category, given in self.thresholds.items()}


class CalibrationFile(_Part):
    """All that was measured: for several backends and versions, one entry each."""

    format: Literal["cubbyd-calibration"] = FORMAT
    version: Literal[1] = 1
    calibrations: tuple[Calibration, ...] = ()
    thresholds: tuple[Thresholds, ...] = ()

    def calibration_of(self, provenance: Provenance, categories: Sequence[CategoryId]) -> Calibration | None:
        """Find the curve of a backend's version; None where there is none for it, or for other categories."""
        found = (one for one in self.calibrations if one.is_for(provenance) and one.categories == tuple(categories))
        return next(found, None)

    def thresholds_of(self, provenance: Provenance, labels: Labels) -> Thresholds | None:
        """Find the thresholds of a backend's version; None where there are none for it."""
        return next((one for one in self.thresholds if one.is_for(provenance) and one.labels is labels), None)

    def with_calibration(self, new: Calibration) -> CalibrationFile:
        """Put a curve in the place of the one for the same version."""
        kept = [one for one in self.calibrations if _version(one) != _version(new)]
        return self.model_copy(update={"calibrations": (*kept, new)})

    def with_thresholds(self, new: Thresholds) -> CalibrationFile:
        """Put thresholds in the place of those for the same version."""
        kept = [one for one in self.thresholds if (_version(one), one.labels) != (_version(new), new.labels)]
        return self.model_copy(update={"thresholds": (*kept, new)})


def _version(one: _Measured) -> tuple[str, str, str]:
    return one.kind, one.model, one.renderer


def read_calibration(file: Path | None) -> CalibrationFile:
    """Read the calibration file; it is empty where there is none yet. Raises ConfigError where it is unreadable or damaged."""
    if file is None:
        return CalibrationFile()
    try:
        if file.exists() and file.stat().st_size > MAX_FILE_BYTES:
            raise _unusable(file, f"has more than {MAX_FILE_BYTES} bytes and is no calibration file; {CALIBRATE}")
        return CalibrationFile.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return CalibrationFile()
    except OSError as error:
        raise _unusable(file, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _unusable(file, f"is damaged{f' at {where}' if where else ''} ({first['msg']}); {CALIBRATE}") from error


def write_calibration(file: Path, content: CalibrationFile) -> None:
    """Write the file in place of what was there, in one step. Raises ConfigError where it cannot be written."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(content.model_dump_json(indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError as error:
        raise _unusable(file, f"cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _unusable(file: Path, reason: str) -> ConfigError:
    return ConfigError(file, (Problem(key="classifier.calibration", found="", allowed=reason),))
