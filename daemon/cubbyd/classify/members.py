"""What the classifiers that are made of others share: opening, asking and closing their members, and adding up costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain

from cubbyd.classify.protocol import Classifier, Cost, Prediction, Provenance
from cubbyd.config import Config, Labels, MemberSection
from cubbyd.errors import ClassifierError, ClassifierUnavailable, ConfigError, Problem, UnknownKind
from cubbyd.message.model import ClassifierInput
from cubbyd.taxonomy import CategoryId

Outcome = Prediction | ClassifierError

OpenKind = Callable[[str, Config], Classifier]
"""Opens another backend by its kind, with a configuration in which that kind may have a model file of its own."""


def open_members(config: Config, open_kind: OpenKind, sections: Iterable[MemberSection], table: str) -> tuple[Classifier, ...]:
    """Open each member as if it stood alone, but for its model file; where one fails, none stays open.

    Raises ConfigError where a kind is not known, and whatever a member raises.
    """
    with ExitStack() as stack:
        members = []
        for section in sections:
            try:
                member = open_kind(section.kind, stand_alone(config, section))
            except UnknownKind as error:
                raise fault(config, table, f"found {error.kind!r}; allowed inside of it: {', '.join(error.known)}") from error
            stack.callback(member.close)
            members.append(member)
        stack.pop_all()
        return tuple(members)


def stand_alone(config: Config, section: MemberSection) -> Config:
    """Make the configuration in which a member is the classifier, with nothing behind it."""
    changes = {"kind": section.kind, "model": section.model or config.classifier.model, "fallback": None}
    return config.model_copy(update={"classifier": config.classifier.model_copy(update=changes)})


def fault(config: Config, table: str, allowed: str) -> ConfigError:
    """Make the error of a table below [classifier]."""
    return ConfigError(config.file, (Problem(key=f"classifier.{table}", found="", allowed=allowed),))


def missing_table(config: Config, kind: str) -> ConfigError:
    """Make the error of a kind that is chosen and not described."""
    return fault(config, kind, f'kind = "{kind}" needs a table [classifier.{kind}]; config.example.toml shows it')


def close_all(members: Iterable[Classifier]) -> None:
    """Close every member, whatever the others do meanwhile."""
    with ExitStack() as stack:
        for member in members:
            stack.callback(member.close)


def ask(inputs: Sequence[ClassifierInput], size: int, question: Callable[[slice], Sequence[Outcome]]) -> list[Outcome]:
    """Ask about all inputs, `size` at once; `question` asks about those at the places of a slice.

    An error that a member raises becomes the answer for each mail that it holds for: after an outage the member is not
    asked about the others, which would only wait as long once more.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(inputs), size):
        places = slice(start, min(start + size, len(inputs)))
        try:
            outcomes += question(places)
        except ClassifierUnavailable as error:
            return outcomes + [error] * (len(inputs) - start)
        except ClassifierError as error:
            outcomes += [error] * (places.stop - places.start)
    return outcomes


def ask_member(member: Classifier, inputs: Sequence[ClassifierInput]) -> list[Outcome]:
    """Ask a member its whole question, as many mails at once as it likes."""
    return ask(inputs, member.batch_size, lambda places: member.classify(inputs[places]))


def settle(outcomes: list[Outcome]) -> list[Outcome]:
    """Give the outcomes; raise ClassifierUnavailable where there is nothing else among them, so that the pass ends."""
    outages = [outcome for outcome in outcomes if isinstance(outcome, ClassifierUnavailable)]
    if outages and len(outages) == len(outcomes):
        raise outages[0]
    return outcomes


def smallest_batch(members: Iterable[Classifier]) -> int:
    """Give the batch size of the most careful member: where each call costs money, no answer waits for another's."""
    return min(member.batch_size for member in members)


def union(members: Sequence[Classifier], order: Iterable[CategoryId] = ()) -> tuple[CategoryId, ...]:
    """Give every category that any of the members can choose: in this order, others after it."""
    known = dict.fromkeys(chain.from_iterable(member.categories for member in members))
    return tuple(dict.fromkeys(chain((category for category in order if category in known), known)))


def cover(probabilities: Mapping[CategoryId, float], categories: Iterable[CategoryId]) -> dict[CategoryId, float]:
    """Give a probability for each of the categories; one that a member cannot choose has none."""
    return {category: probabilities.get(category, 0.0) for category in categories}


def normalize(probabilities: Mapping[CategoryId, float]) -> dict[CategoryId, float]:
    """Scale probabilities so that they sum to 1; all are equal where there is nothing to scale."""
    total = sum(probabilities.values())
    return {category: p / total if total else 1 / len(probabilities) for category, p in probabilities.items()}


def scale(probabilities: Mapping[CategoryId, float], labels: Labels) -> Mapping[CategoryId, float]:
    """Scale probabilities so that they sum to 1 where a mail has one label; where it can have many each stands for itself."""
    return normalize(probabilities) if labels is Labels.ONE else probabilities


def add_costs(predictions: Iterable[Prediction]) -> Cost:
    """Add up what all answers took."""
    costs = [prediction.cost for prediction in predictions]
    return Cost(
        milliseconds=sum(cost.milliseconds for cost in costs),
        input_tokens=sum(cost.input_tokens for cost in costs),
        output_tokens=sum(cost.output_tokens for cost in costs),
        money=sum(cost.money for cost in costs),
    )


def join_ids(predictions: Iterable[Prediction]) -> str:
    """Name every remote call."""
    return " ".join(prediction.request_id for prediction in predictions if prediction.request_id)


def describe(member: Classifier) -> str:
    """Name a member with its version, for the provenance of what it is a part of."""
    return f"{member.provenance.kind}:{member.provenance.model}"


def made_of(kind: str, members: Sequence[Classifier], model: str) -> Provenance:
    """Make the provenance of a classifier that is made of others."""
    renderers = dict.fromkeys(member.provenance.renderer for member in members)
    return Provenance(kind=kind, model=model, renderer="+".join(renderers))
