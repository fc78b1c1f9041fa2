"""The report on one classifier, or on several side by side: one HTML page that needs nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from cubbyd.dataset.example import Example
from cubbyd.evaluation.chart import Point, draw_interval, draw_line, draw_matrix, draw_reliability, draw_shares
from cubbyd.evaluation.comparison import Contestant, Verdict
from cubbyd.evaluation.confusion import Confusion, confusion_counts
from cubbyd.evaluation.markup import Markup, join, page, table, tag
from cubbyd.evaluation.metric import reliability
from cubbyd.evaluation.scatter import draw_atlas
from cubbyd.evaluation.score import Estimate, Score
from cubbyd.evaluation.whole import PER, Evaluation, say_bias, say_filing

SHOWN_MAILS: Final = 3
"""Of each confusion; the surest mistakes."""
SHOWN_CHARS: Final = 500

NAMES: Final = {
    "accuracy": ("accuracy", "share of mails whose most probable category is right"),
    "exact_match": ("exact match", "share of mails that get exactly the right categories"),
    "micro_f1": ("micro-F1", "F1 over all choices together"),
    "macro_f1": ("macro-F1", "mean over categories: small ones count as much as big ones"),
    "weighted_f1": ("weighted F1", "mean over categories, by their mails"),
    "jaccard": ("Jaccard", "chosen and right, of chosen or right; mean over mails"),
    "log_loss": ("log loss", "surprise at the right answer, in nats; 0 is best"),
    "calibration_error": ("calibration error", "gap of probability and truth (ECE); 0 is best"),
}
ONE_EACH: Final = ("accuracy", "macro_f1", "weighted_f1", "log_loss", "calibration_error")
SEVERAL: Final = ("exact_match", "micro_f1", "macro_f1", "weighted_f1", "jaccard", "accuracy", "log_loss", "calibration_error")

NOTICE: Final = (
    "This file holds text of mails. It can be read by its owner alone (mode 0600); keep it that way, do not send it around, "
    "and delete it when you have read it. With --without-mails a report holds numbers alone."
)
NO_MAILS: Final = "Numbers alone: no text of any mail is in this file."


def write_report(evaluation: Evaluation, *, source: str, created: datetime, with_mails: bool = True) -> str:
    """Write the report on one classifier; `source` names the test set."""
    return page(
        f"Evaluation of {evaluation.name}",
        *_opening(f"How good is {evaluation.name}?", evaluation, source, created, with_mails=with_mails),
        *_answers(evaluation),
        _tiles(evaluation),
        *_categories(evaluation),
        *_confusions(evaluation, with_mails=with_mails),
        *_trust(evaluation),
        *_coverage(evaluation),
        *_bias(evaluation),
        *_learning(evaluation),
        *_origins(evaluation),
        *_map(evaluation),
        *_fine_print(evaluation),
    )


def write_comparison(verdict: Verdict, contestants: Sequence[Contestant], *, source: str, created: datetime) -> str:
    """Write the report on several classifiers; it holds no text of mails."""
    rows = [_contestant_row(one, verdict) for one in contestants]
    several = contestants[0].judged.several
    names = (
        "right",
        "macro-F1",
        "log loss",
        "calibration error",
        "filed by itself",
        "of those wrong",
        "ms / 1000",
        "money / 1000",
    )
    duels = [
        (
            f"{duel.best} against {duel.other}",
            duel.best_alone,
            duel.other_alone,
            _points(duel.difference),
            f"{duel.p_value:.2g}",
            "no chance" if duel.is_decided else "may be chance",
        )
        for duel in verdict.duels
    ]
    mails = contestants[0].score.mails
    return page(
        "Comparison of classifiers",
        tag("h1", "Which classifier is best for this mail?"),
        tag(
            "p",
            f"{mails} mails of {source} that all of them answered, {created:%Y-%m-%d %H:%M} UTC. {NO_MAILS}",
            class_="faint",
        ),
        tag("p", verdict.sentence, class_="answer"),
        tag("h2", "Side by side"),
        tag(
            "p",
            "Small numbers are 95 % intervals. " + ("Right: exactly the right categories." if several else ""),
            class_="faint",
        ),
        table(("classifier", *names), rows),
        tag("h2", "Is the difference real?"),
        tag(
            "p",
            "Both tests look at the same mails. McNemar's exact test counts mails that one alone got right; the interval of "
            "the difference is a paired bootstrap over groups of mails. It is called no chance where both agree; p is "
            "corrected for the number of comparisons (Holm).",
        ),
        table(("", "the first alone right", "the other alone right", "difference, points", "p", ""), duels),
    )


def _contestant_row(one: Contestant, verdict: Verdict) -> list[object]:
    numbers = one.score.numbers
    name = tag("b", one.name) if one is verdict.recommended else one.name
    shown = [one.accuracy, *(numbers[key] for key in ("macro_f1", "log_loss", "calibration_error"))]
    shares = [_share(numbers[key]) for key in ("filed", "filed_wrong")]
    return [name, *map(_number, shown), *shares, f"{one.milliseconds:,.0f}", f"{one.money:.2f}"]


# --- parts of the report on one ----------------------------------------------------------------------------------------


def _opening(title: str, evaluation: Evaluation, source: str, created: datetime, *, with_mails: bool) -> Iterator[Markup]:
    sheet, score = evaluation.sheet, evaluation.score
    yield tag("h1", title)
    who = f"{sheet.provenance.kind}, version {sheet.provenance.model}, renderer {sheet.provenance.renderer}"
    yield tag(
        "p",
        f"{who}. {score.mails} labeled mails of {source} in {score.groups} groups, {created:%Y-%m-%d %H:%M} UTC.",
        class_="faint",
    )
    yield tag("p", NOTICE, class_="warning") if with_mails else tag("p", NO_MAILS, class_="faint")
    if sheet.unread or sheet.answers.failures:
        missing = (
            f"{sheet.unread} mails have nothing to read, and {len(sheet.answers.failures)} got no answer; they do not count"
        )
        why = f": {sheet.answers.failures[0]}" if sheet.answers.failures else ""
        yield tag("p", f"{missing}{why}.", class_="warning")


def _answers(evaluation: Evaluation) -> Iterator[Markup]:
    yield tag("h2", "The short answers")
    yield tag("p", tag("b", "Can it file by itself? "), say_filing(evaluation.score), class_="answer")
    yield tag("p", tag("b", "Does it favor the big category? "), say_bias(evaluation), class_="answer")
    if evaluation.learning is not None:
        yield tag("p", tag("b", "Would more examples help? "), evaluation.learning.sentence, class_="answer")


def _tiles(evaluation: Evaluation) -> Markup:
    tiles = []
    for key in SEVERAL if evaluation.judged.several else ONE_EACH:
        estimate, (name, meaning) = evaluation.score.numbers[key], NAMES[key]
        if estimate is not None:
            span = f"{estimate.low:.3f} to {estimate.high:.3f}"
            tiles.append(
                tag(
                    "div",
                    tag("small", name),
                    tag("b", f"{estimate.value:.3f}"),
                    tag("small", span),
                    tag("small", meaning),
                    class_="tile",
                )
            )
    for name, value in (("milliseconds", f"{evaluation.milliseconds:,.0f}"), ("money", f"{evaluation.money:.2f}")):
        tiles.append(
            tag("div", tag("small", f"{name} / {PER}"), tag("b", value), tag("small", f"what {PER} mails take"), class_="tile")
        )
    return tag("div", *tiles, class_="tiles")


def _categories(evaluation: Evaluation) -> Iterator[Markup]:
    yield tag("h2", "Each category")
    yield tag(
        "p",
        "Precision: of the mails that it was chosen for, how many are right. Recall: of its own mails, how many it was chosen "
        "for. The bars are 95 % intervals: where they are wide, few mails speak.",
    )
    columns = ("category", "mails", "chosen", "precision", "", "recall", "", "F1", "threshold")
    rows = [
        (
            one.category,
            one.wanted,
            one.chosen,
            _number(one.precision),
            draw_interval(one.precision),
            _number(one.recall),
            draw_interval(one.recall),
            _number(one.f1),
            "never" if bar >= 1 else f"{bar:.3f}",
        )
        for one, bar in zip(evaluation.score.categories, evaluation.bars, strict=True)
    ]
    yield table(columns, rows)


def _confusions(evaluation: Evaluation, *, with_mails: bool) -> Iterator[Markup]:
    yield tag("h2", "What is taken for what")
    yield draw_matrix(evaluation.judged.answers.categories, confusion_counts(evaluation.judged))
    yield tag("h2", "The ten costliest confusions" if len(evaluation.confusions) >= 10 else "The costliest confusions")  # noqa: PLR2004
    yield tag(
        "p",
        "First those whose mails would be filed wrong by themselves, since nobody notices; then by number. Read the mails: "
        "often a label is wrong, or two categories are not told apart by anybody.",
    )
    if not evaluation.confusions:
        yield tag("p", "There is none: every choice was right.")
    if evaluation.confusions and not with_mails:
        rows = [(one.right, one.chosen, one.mails, one.filed) for one in evaluation.confusions]
        yield table(("right", "taken for", "mails", "of them filed wrong by themselves"), rows, words=2)
    for number, one in enumerate(evaluation.confusions if with_mails else (), start=1):
        count = f"{one.mails} mail{'' if one.mails == 1 else 's'}, {one.filed} filed wrong by themselves"
        heading = f"{number}. {one.right} taken for {one.chosen}: {count}"
        yield tag("div", tag("h3", heading), *_mails(evaluation.sheet.mails, one), class_="pair")


def _mails(mails: Sequence[Example], confusion: Confusion) -> list[Markup]:
    shown = []
    for row, probability in zip(confusion.rows[:SHOWN_MAILS], confusion.confidences, strict=False):
        mail = mails[row]
        body = mail.body if len(mail.body) <= SHOWN_CHARS else mail.body[:SHOWN_CHARS] + " …"
        place = f"line {mail.line}, given {confusion.chosen} with {probability:.2f}"
        shown.append(
            tag(
                "div",
                tag("small", place),
                tag("p", tag("b", mail.subject or "(no subject)")),
                tag("p", body.strip()),
                class_="mail",
            )
        )
    if (more := confusion.mails - len(shown)) > 0:
        lines = ", ".join(str(mails[row].line) for row in confusion.rows[SHOWN_MAILS : SHOWN_MAILS + 20])
        shown.append(tag("p", f"and {more} more, in lines {lines}{' …' if more > 20 else ''}", class_="faint"))  # noqa: PLR2004
    return shown


def _trust(evaluation: Evaluation) -> Iterator[Markup]:
    answers = evaluation.judged.answers
    flat = (
        (answers.probabilities.ravel(), answers.truths.ravel())
        if evaluation.judged.several
        else (answers.confidence, answers.right)
    )
    error = evaluation.score.numbers["calibration_error"]
    yield tag("h2", "Can its probabilities be believed?")
    said = f"The calibration error is {_plain(error)}. " if error else ""
    yield tag(
        "p",
        f"{said}Bars that end at the dashed line keep their word; below it the classifier is too sure, above it not sure "
        "enough. ",
        tag("code", "cubbyd calibrate"),
        " mends either.",
    )
    yield draw_reliability(reliability(*flat, 10))


def _coverage(evaluation: Evaluation) -> Iterator[Markup]:
    answers, score = evaluation.judged.answers, evaluation.score
    filed, wrong = score.numbers["filed"], score.numbers["filed_wrong"]
    yield tag("h2", "How much can be filed, and how well")
    yield tag("p", say_filing(score))
    kept = np.flatnonzero(~answers.held)
    order = kept[np.argsort(-answers.confidence[kept], kind="stable")]
    if not len(order):
        return
    rising = np.cumsum(answers.right[order]) / np.arange(1, len(order) + 1)
    first = min(len(order), max(10, len(order) // 50)) - 1
    places = np.unique(np.linspace(first, len(order) - 1, 160).astype(np.int64))
    points = [Point(x=float((place + 1) / len(answers)), y=float(rising[place])) for place in places]
    mark = None
    if filed is not None and wrong is not None:
        mark = Point(
            x=filed.value, y=1 - wrong.value, said=f"chosen thresholds: {filed.value:.0%} filed, {1 - wrong.value:.1%} right"
        )
    yield draw_line(
        points, below="share of mail that is filed by itself, the surest first", beside="share of it that is right", mark=mark
    )
    yield tag(
        "p",
        "The line is one threshold for all categories; the chosen thresholds, one for each category, can lie above or below "
        "it. The first mails are left out, as so few say nothing.",
        class_="faint",
    )


def _bias(evaluation: Evaluation) -> Iterator[Markup]:
    yield tag("h2", "Are big categories favored?")
    yield tag("p", say_bias(evaluation))
    ordered = sorted(evaluation.score.categories, key=lambda one: -one.wanted)
    yield draw_shares(ordered[:20], evaluation.score.mails)
    rows = [
        (
            one.category,
            f"{one.wanted / evaluation.score.mails:.1%}",
            f"{one.chosen / evaluation.score.mails:.1%}",
            _number(one.bias, digits=2),
        )
        for one in ordered
    ]
    yield table(("category, biggest first", "share of the mail", "share of the answers", "ratio"), rows)


def _learning(evaluation: Evaluation) -> Iterator[Markup]:
    learning = evaluation.learning
    if learning is None or not learning.steps:
        return
    yield tag("h2", "Would more examples help?")
    yield tag("p", learning.sentence)
    most = learning.steps[-1].examples
    points, labels = [], []
    for step in learning.steps:
        accuracy, x = step.accuracy, step.examples / most
        said = f"{step.examples} examples: {_plain(accuracy)}"
        points.append(Point(x=x, y=accuracy.value, low=accuracy.low, high=accuracy.high, said=said))
        labels.append((x, str(step.examples)))
    yield draw_line(points, below="training examples", beside="accuracy on the test set", x_labels=labels)
    yield tag("p", "Local classifiers, each trained on a part of the training mail, the smaller in the larger.", class_="faint")


def _origins(evaluation: Evaluation) -> Iterator[Markup]:
    if evaluation.real is None or evaluation.synthetic is None:
        return
    yield tag("h2", "Real mail and synthetic mail")
    yield tag("p", "Only the first column speaks of your mail. Where the second is much better, synthetic mail is too easy.")
    keys = SEVERAL if evaluation.judged.several else ONE_EACH
    columns: tuple[Score, Score] = (evaluation.real, evaluation.synthetic)
    rows = [(NAMES[key][0], *(_number(one.numbers[key]) for one in columns)) for key in keys]
    yield table(("", f"real ({columns[0].mails} mails)", f"synthetic ({columns[1].mails} mails)"), rows)


def _map(evaluation: Evaluation) -> Iterator[Markup]:
    atlas = evaluation.atlas
    if atlas is None:
        return
    yield tag("h2", "What training made of the mail: a map")
    yield tag("p", atlas.sentence)
    yield from draw_atlas(atlas)
    axes = (
        "Both sides are of one space and have the same two axes: those along which the mails of both together differ most."
        if atlas.is_shared
        else "The two sides are different spaces. Each is shown along the two axes on which its mails differ most, and the "
        "second is turned and mirrored to lie as like the first as can be: compare how the mails lie together, not where."
    )
    part = f"{len(atlas.labels)} of the {atlas.of} mails" if len(atlas.labels) < atlas.of else f"All {atlas.of} mails"
    yield tag(
        "p",
        f"{part}, each by its right category. {axes} Both are drawn at the same size. Two dimensions show "
        "but a part of the differences: what lies together here may lie apart. Silhouette (1: each category is a lump of its "
        "own, 0: they touch, below: they mix) and neighbors are measured in all dimensions.",
        class_="faint",
    )


def _fine_print(evaluation: Evaluation) -> Iterator[Markup]:
    several = " A category is chosen where its probability reaches its threshold." if evaluation.judged.several else ""
    yield tag("h2", "How this was measured")
    yield tag(
        "p",
        "Intervals are the middle 95 % of 1,000 bootstrap draws of groups (threads, or texts that read the same), seed 0, "
        "widened to hold the number itself; for shares of all or none, and F1 of 1, they are the exact bound of Clopper and "
        "Pearson. F1 means are over categories that have a mail. The calibration error has 15 bins of equal width. Mail that "
        f"the classifier wants a person for is not filed.{several} All of it holds for mail like this; test anew when your "
        "mail changes.",
        class_="faint",
    )


# --- how numbers are said ----------------------------------------------------------------------------------------------


def _number(estimate: Estimate | None, *, digits: int = 3) -> Markup | str:
    if estimate is None:
        return "-"
    span = f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"
    return join((f"{estimate.value:.{digits}f} ", tag("small", span)))


def _share(estimate: Estimate | None) -> Markup | str:
    if estimate is None:
        return "-"
    return join((f"{estimate.value:.1%} ", tag("small", f"{estimate.low:.1%} to {estimate.high:.1%}")))


def _points(estimate: Estimate) -> Markup:
    return join((f"{100 * estimate.value:.1f} ", tag("small", f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}")))


def _plain(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} (between {estimate.low:.3f} and {estimate.high:.3f})"
