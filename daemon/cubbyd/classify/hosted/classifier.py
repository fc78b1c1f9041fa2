"""The hosted classifier: each mail is let out masked, paid for, asked about, and its answer checked; one mail a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import structlog

from cubbyd.classify.border import Border
from cubbyd.classify.hosted.failure import Action, Failure, to_error
from cubbyd.classify.hosted.guard import Guard
from cubbyd.classify.hosted.paid import PaidClient, Wire
from cubbyd.classify.hosted.prompt import frame
from cubbyd.classify.hosted.trial import Trial
from cubbyd.classify.protocol import Cost, Prediction, Provenance
from cubbyd.config import OpenAISection
from cubbyd.errors import ClassifierError, ClassifierRejected, ClassifierUnavailable
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

Among = Sequence[CategoryId] | None
"""The categories that are asked about; None: all."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("cubbyd.classify")


class HostedClassifier:
    """A hosted model, ready to be asked; thread-safe."""

    batch_size: int = 1
    """Each call costs money, and one mail must not speak for another."""

    def __init__(
        self,
        section: OpenAISection,
        provenance: Callable[[Wire | None], Provenance],
        *,
        categories: tuple[CategoryId, ...],
        borders: tuple[Border, Border],
        trial: Trial,
        paid: PaidClient,
        guard: Guard,
    ) -> None:
        """Take the parts; the second border lets out half the text of the first, for where the first was too much."""
        self.provenance, self.categories = provenance(trial.in_force), categories
        self._server = f"classifier openai ({urlsplit(section.base_url).netloc})"
        self._name, self._borders, self._trial, self._paid, self._guard = provenance, borders, trial, paid, guard

    def classify(self, inputs: Sequence[ClassifierInput], /) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input, in order. Raises ClassifierUnavailable where none of them has an answer for that reason."""
        return self._answer([(given, None) for given in inputs])

    def classify_among(
        self, inputs: Sequence[ClassifierInput], among: Sequence[Sequence[CategoryId]], /
    ) -> Sequence[Prediction | ClassifierError]:
        """Answer for each input by its own few categories: the server is told of no others."""
        return self._answer(list(zip(inputs, among, strict=True)))

    def _answer(self, questions: Sequence[tuple[ClassifierInput, Among]]) -> Sequence[Prediction | ClassifierError]:
        outcomes: list[Prediction | ClassifierError] = []
        outage: ClassifierUnavailable | None = None
        for given, among in questions:
            outcome = outage or self._classify(given, among)
            if isinstance(outcome, ClassifierUnavailable):
                outage = outcome  # the next mail would only wait as long once more
            outcomes.append(outcome)
        if outage is not None and all(outcome is outage for outcome in outcomes):
            raise outage
        return outcomes

    def close(self) -> None:
        """Break off what is under way, and close the connections."""
        self._guard.stop()
        self._paid.close()

    def _classify(self, given: ClassifierInput, among: Among) -> Prediction | ClassifierError:
        error: ClassifierError | None = None
        for border in self._borders:
            try:
                return self._attempt(given, among, border)
            except ClassifierError as found:
                return found
            except Failure as failure:
                self._note(failure)
                error = to_error(failure, self._server)
                if failure.row.action is not Action.SHORTEN:
                    break
        return error or ClassifierRejected(f"{self._server}: no answer")

    def _attempt(self, given: ClassifierInput, among: Among, border: Border) -> Prediction:
        outgoing = border.let_out(given)
        mail = frame(outgoing.given, is_redacted=outgoing.is_redacted)
        started = time.perf_counter()
        return self._guard.call(lambda seconds: self._ask(mail, among, seconds, started))

    def _note(self, failure: Failure) -> None:
        """Say what became of a mail's calls."""
        row = failure.row
        self._guard.note(failure)
        if row.name == "no endpoint":
            self._trial.doubt()
        log.warning(
            "the hosted classifier gave no answer", failure=row.name, then=str(row.action), request=failure.symptom.request_id
        )

    def _ask(self, mail: str, among: Among, seconds: float, started: float) -> Prediction:
        """Make one call, in the way that is in force."""
        general = self._trial.find(seconds)
        self.provenance = provenance = self._name(general)
        wire = general if among is None else general.narrow(among)
        answered = self._paid.ask(wire, mail, seconds)
        return Prediction(
            probabilities=wire.read(answered.reply),
            provenance=provenance,
            cost=Cost(
                milliseconds=(time.perf_counter() - started) * 1000,
                input_tokens=answered.input_tokens,
                output_tokens=answered.output_tokens,
                money=answered.money,
            ),
            request_id=answered.reply.request_id,
        )
