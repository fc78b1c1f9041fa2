"""A classifier whose probabilities are put through the curve that was found for exactly its version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cubbyd.classify.calibration import Calibration, read_calibration
from cubbyd.classify.fallback import FallbackClassifier
from cubbyd.classify.protocol import Chooser, Classifier, Prediction, Provenance
from cubbyd.classify.ruled import RuledClassifier
from cubbyd.classify.urgent import UrgentClassifier
from cubbyd.config import Config
from cubbyd.errors import ClassifierError, ConfigError
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

Outcome = Prediction | ClassifierError


class CalibratedClassifier:
    """A backend with its curve; as thread-safe as the backend. Reasons, costs, and what it wants held are the backend's."""

    def __init__(self, inner: Classifier, calibration: Calibration) -> None:
        """Take a backend, which is closed with this, and the curve of its version."""
        self.provenance = calibrated_provenance(inner.provenance, calibration)
        self.categories, self.batch_size = inner.categories, inner.batch_size
        self.calibration = calibration
        self._inner = inner

    @property
    def inner(self) -> Classifier:
        """The backend."""
        return self._inner

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Outcome]:
        """Answer for each input, in order. Raises what the backend raises."""
        return [self._calibrate(outcome) for outcome in self._inner.classify(inputs)]

    def close(self) -> None:
        """Close the backend."""
        self._inner.close()

    def _calibrate(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Prediction):
            return outcome
        return replace(outcome, probabilities=self.calibration.apply(outcome.probabilities), provenance=self.provenance)


class CalibratedChooser(CalibratedClassifier):
    """The same for a backend that can be asked the narrower question; its answer to that has no curve and stays as it is."""

    def __init__(self, inner: Chooser, calibration: Calibration) -> None:
        """Take a backend, which is closed with this, and the curve of its version."""
        super().__init__(inner, calibration)
        self._chooser = inner

    def classify_among(self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /) -> Sequence[Outcome]:
        """Answer for each input, in order, for its own few categories. Raises what the backend raises."""
        return self._chooser.classify_among(inputs, among)


def calibrated_provenance(provenance: Provenance, calibration: Calibration) -> Provenance:
    """Name a backend's version together with its curve's."""
    return replace(provenance, model=f"{provenance.model}+cal:{calibration.digest}")


def calibrate_opened(config: Config, classifier: Classifier) -> Classifier:
    """Give a backend with its curve, or as it is where the calibration file has none for its version. Raises ConfigError."""
    try:
        known = read_calibration(config.classifier.calibration)
    except ConfigError:
        classifier.close()
        raise
    found = known.calibration_of(classifier.provenance, classifier.categories)
    if found is None:
        return classifier
    return CalibratedChooser(classifier, found) if isinstance(classifier, Chooser) else CalibratedClassifier(classifier, found)


def backend_of(classifier: Classifier) -> Classifier:
    """Give what stands behind the rules and the net, with its fallback."""
    while isinstance(classifier, RuledClassifier | UrgentClassifier):
        classifier = classifier.inner
    return classifier


def calibration_in_force(classifier: Classifier) -> Calibration | None:
    """Give the curve of a loaded classifier, its first where it has a fallback; None where there is none."""
    backend = backend_of(classifier)
    first = backend.first if isinstance(backend, FallbackClassifier) else backend
    return first.calibration if isinstance(first, CalibratedClassifier) else None


def thresholds_in_force(config: Config, classifier: Classifier) -> dict[CategoryId, float]:
    """Give the thresholds that were measured for exactly this backend; none where there are none. Raises ConfigError.

    Rules before it change nothing: what they file is certain, and they are not what was measured.
    """
    provenance = backend_of(classifier).provenance
    found = read_calibration(config.classifier.calibration).thresholds_of(provenance, config.classifier.labels)
    return found.values if found else {}


def shortcomings(config: Config, classifier: Classifier) -> list[str]:
    """Say what the configured calibration file lacks for a loaded classifier, each with the way out. Raises ConfigError.

    Thresholds that were measured for a classifier without a curve need none.
    """
    file = config.classifier.calibration
    if file is None:
        return []
    backend = backend_of(classifier)
    first = backend.first if isinstance(backend, FallbackClassifier) else backend
    known, said = read_calibration(file), []
    measured = known.thresholds_of(backend.provenance, config.classifier.labels)
    if not isinstance(first, CalibratedClassifier) and not measured:
        said.append(
            f"{file.name} has no calibration for this version of the classifier ({first.provenance.model}), so its "
            "probabilities are used as they are; make one: cubbyd calibrate EXAMPLES.jsonl"
        )
    if known.thresholds and not measured:
        said.append(
            f"the thresholds in {file.name} were measured with another version of the classifier, or other labels, and are "
            "not used; measure again: cubbyd thresholds EXAMPLES.jsonl --write"
        )
    return said
