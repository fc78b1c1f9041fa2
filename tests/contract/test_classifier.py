"""One suite for everything that says it is a Classifier: the local one, the double, those made of others, the hosted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import pytest
from tests.calibration import curve_of
from tests.composite import only, predictions

from cubbyd.classify.calibrated import CalibratedClassifier
from cubbyd.classify.cascade import CascadeClassifier
from cubbyd.classify.ensemble import EnsembleClassifier
from cubbyd.classify.fallback import FallbackClassifier
from cubbyd.classify.grouping import GroupSum
from cubbyd.classify.hierarchical import HierarchicalClassifier, InnerModels
from cubbyd.classify.local import LocalClassifier
from cubbyd.classify.modelfile import LocalModel
from cubbyd.classify.protocol import Classifier
from cubbyd.classify.rule import Rulebook, compile_rules
from cubbyd.classify.ruled import RuledClassifier, RulesClassifier
from cubbyd.classify.shortlist import ShortlistClassifier
from cubbyd.classify.urgent import UrgentClassifier, UrgentNet
from cubbyd.config import RuleSection
from cubbyd.dataset.example import Example
from cubbyd.message import RENDERER_VERSION, ClassifierInput, render_text
from cubbyd.taxonomy import CategoryId, GroupId
from cubbyd.testing import WordClassifier
from cubbyd.training.hierarchical import train_hierarchical
from cubbyd.training.local import train_local

EXAMPLES = {
    "absence": ("a fever tonight", "fever again", "home with a fever", "the fever is high", "no fever now, still home"),
    "billing": (
        "the invoice is wrong",
        "one invoice too many",
        "invoice for May",
        "please send the invoice",
        "paid the invoice",
    ),
    "pickup": ("grandma collects her", "his uncle collects him", "who collects her", "late, aunt collects", "collects at four"),
}
GROUPS = {
    GroupId(CategoryId("child")): (CategoryId("absence"), CategoryId("pickup")),
    GroupId(CategoryId("money")): (CategoryId("billing"),),
}
WORDS = {"fever": "absence", "invoice": "billing", "collects": "pickup"}
MAILS = (render_text("Fever", "She has a fever."), render_text("The invoice", "It is the wrong invoice."))
"""Of the first and of the second category: whatever else a classifier knows, it knows these."""
TOPS = ("absence", "billing")
UNCLEAR = render_text("Hello", "See you.")


def examples() -> list[Example]:
    return [
        Example(subject="", body=body, labels=(CategoryId(label),)) for label, bodies in EXAMPLES.items() for body in bodies
    ]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return train_local(examples())


def hierarchical() -> HierarchicalClassifier:
    trained = train_hierarchical(examples(), GROUPS)
    return HierarchicalClassifier(LocalClassifier(trained.among), InnerModels.of(trained), GROUPS, shares=trained.shares)


def words() -> WordClassifier:
    return WordClassifier(EXAMPLES, dict(WORDS), batch_size=3)


def rulebook(**words: str) -> Rulebook:
    sections = [RuleSection(name=word, subject_words=(word,), category=category) for word, category in words.items()]
    return Rulebook(compile_rules(sections))


RULEBOOK = rulebook(**WORDS)
UNUSED = rulebook(zebra="pickup")

MADE: dict[str, Callable[[LocalModel], Classifier]] = {
    "double": lambda _: words(),
    "local": LocalClassifier,
    "cascade": lambda model: CascadeClassifier(LocalClassifier(model), words(), unsure_below=0.9),
    "cascade, the second always": lambda model: CascadeClassifier(LocalClassifier(model), words(), unsure_below=1.0),
    "shortlist": lambda model: ShortlistClassifier(LocalClassifier(model), words(), size=2, sure_above=1.0),
    "ensemble": lambda model: EnsembleClassifier([LocalClassifier(model), words()], [2, 1]),
    "fallback": lambda model: FallbackClassifier(LocalClassifier(model), words()),
    "calibrated": lambda model: CalibratedClassifier(LocalClassifier(model), curve_of(LocalClassifier(model), 1.5)),
    "rules": lambda _: RulesClassifier(RULEBOOK, [CategoryId(name) for name in EXAMPLES]),
    "rules before": lambda model: RuledClassifier(UNUSED, LocalClassifier(model)),
    "urgent net": lambda model: UrgentClassifier(UrgentNet({"injury": ["fever"]}), LocalClassifier(model)),
    "nested": lambda model: CascadeClassifier(
        EnsembleClassifier([LocalClassifier(model), words()], [1, 1], review_on_disagreement=True), words(), unsure_below=0.5
    ),
}

MADE |= {
    "hierarchical": lambda _: hierarchical(),
    "hierarchical, of others": lambda model: HierarchicalClassifier(
        GroupSum(LocalClassifier(model), GROUPS), words(), GROUPS, tried=2, enough=1.0
    ),
}


@dataclass(frozen=True, slots=True)
class Rig:
    """A classifier, and how to make another one of the same."""

    classifier: Classifier
    again: Callable[[], Classifier]


HOSTED = {"openai": "decisions", "openai, a schema": "schema", "openai, a code": "code", "openai, a prompt": "prompt"}
"""The hosted classifier, by the way in which it asks."""


@pytest.fixture(params=[*MADE, *HOSTED, "embeddings here", "embeddings by a server"])
def rig(request: pytest.FixtureRequest, model: LocalModel, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        kind = request.param
        if kind in HOSTED:
            made = hosted(stack, tmp_path, HOSTED[kind])
        elif kind.startswith("embeddings"):
            made = (embeddings if kind.endswith("here") else embeddings_by_a_server)(stack, tmp_path)
        else:
            made = lambda: MADE[kind](model)  # noqa: E731

        def again() -> Classifier:
            classifier = made()
            stack.callback(classifier.close)
            return classifier

        yield Rig(again(), again)


def hosted(stack: ExitStack, folder: Path, mode: str) -> Callable[[], Classifier]:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from tests.hosted import MODES, configure

    from cubbyd.classify.hosted.opening import open_hosted
    from cubbyd.standin import Standin

    server = stack.enter_context(Standin(WORDS))
    return lambda: open_hosted(configure(folder, server.base_url, MODES[mode]))


def embeddings(_: ExitStack, folder: Path) -> Callable[[], Classifier]:
    from tests.embeddings import make_folder

    from cubbyd.classify.embedding.cache import Embedder
    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.classify.embedding.opening import open_folder
    from cubbyd.training.embedding import train_embeddings

    tiny = make_folder(folder, "int8")
    model = train_embeddings(examples(), Embedder(open_folder(tiny)))
    return lambda: EmbeddingClassifier(model, Embedder(open_folder(tiny)))


def embeddings_by_a_server(stack: ExitStack, folder: Path) -> Callable[[], Classifier]:
    pytest.importorskip("openai", reason="the extra cubbyd[openai] is not installed")
    from tests.unit.test_embedding_server import configure

    from cubbyd.classify.embedding.classifier import EmbeddingClassifier
    from cubbyd.classify.embedding.opening import open_embedder
    from cubbyd.standin import Standin
    from cubbyd.training.embedding import train_embeddings

    server = stack.enter_context(Standin({}))
    config = configure(folder, server.base_url)
    embedder = open_embedder(config)
    stack.callback(embedder.close)
    model = train_embeddings(examples(), embedder)
    return lambda: EmbeddingClassifier(model, open_embedder(config))


def test_every_category_has_a_probability_in_order_and_they_sum_to_one(rig: Rig) -> None:
    assert len(set(rig.classifier.categories)) == len(rig.classifier.categories) >= 2

    for answer in predictions(rig.classifier.classify([*MAILS, UNCLEAR][: rig.classifier.batch_size])):
        assert tuple(answer.probabilities) == rig.classifier.categories
        assert all(0.0 <= p <= 1.0 for p in answer.probabilities.values())
        assert sum(answer.probabilities.values()) == pytest.approx(1.0)


def test_a_mail_is_given_the_category_that_it_is_about(rig: Rig) -> None:
    assert tuple(only(rig.classifier.classify([given])).top for given in MAILS) == TOPS


def test_answers_come_in_the_order_of_the_mails_however_many(rig: Rig) -> None:
    """More than the batch size too: it is a wish of the classifier's and no limit of the caller's."""
    count = rig.classifier.batch_size + 3
    mails = list(islice(cycle(MAILS), count))

    assert [answer.top for answer in predictions(rig.classifier.classify(mails))] == list(islice(cycle(TOPS), count))


def test_a_mail_in_a_batch_is_answered_as_alone(rig: Rig) -> None:
    mails = [*MAILS, UNCLEAR, *MAILS]

    together = predictions(rig.classifier.classify(mails))

    for answer, given in zip(together, mails, strict=True):
        alone = only(rig.classifier.classify([given]))
        assert answer.probabilities == pytest.approx(alone.probabilities)
        assert (answer.reasons, answer.hold, answer.provenance) == (alone.reasons, alone.hold, alone.provenance)


def test_an_empty_batch_has_no_answers(rig: Rig) -> None:
    assert list(rig.classifier.classify([])) == []


def test_a_mail_without_a_word_has_an_answer_too(rig: Rig) -> None:
    answer = only(rig.classifier.classify([render_text("", "")]))

    assert sum(answer.probabilities.values()) == pytest.approx(1.0)


def test_every_answer_says_whose_it_is_and_what_it_took(rig: Rig) -> None:
    said = rig.classifier.provenance
    answer = only(rig.classifier.classify([MAILS[0]]))

    assert answer.provenance == said
    assert said.kind
    assert said.model
    assert said.renderer == RENDERER_VERSION
    assert min(answer.cost.milliseconds, answer.cost.input_tokens, answer.cost.output_tokens, answer.cost.money) >= 0


def test_another_of_the_same_has_the_same_provenance_and_gives_the_same_answer(rig: Rig) -> None:
    other = rig.again()

    assert other.provenance == rig.classifier.provenance
    assert only(other.classify([MAILS[0]])).probabilities == only(rig.classifier.classify([MAILS[0]])).probabilities


def test_reasons_are_short_words_for_people(rig: Rig) -> None:
    for reason in only(rig.classifier.classify([MAILS[0]])).reasons:
        assert 0 < len(reason.text) <= 200
        assert "\n" not in reason.text
        assert 0.0 <= reason.weight <= 1.0


def test_several_threads_may_ask_at_once(rig: Rig) -> None:
    def ask(given: ClassifierInput) -> CategoryId:
        return only(rig.classifier.classify([given])).top

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, MAILS * 8)) == list(TOPS * 8)


def test_closing_it_twice_is_no_fault(rig: Rig) -> None:
    rig.classifier.close()
    rig.classifier.close()
