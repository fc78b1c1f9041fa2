"""The report on training mixes: one HTML page without any text of mails. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cubbyd.evaluation.chart import FAINT, INK, LETTER, LINE, MARK, label, picture
from cubbyd.evaluation.markup import Markup, join, page, table, tag
from cubbyd.evaluation.recipe import Gain, Result, Tasting
from cubbyd.evaluation.report import NO_MAILS
from cubbyd.evaluation.score import Estimate

VERDICTS = {1: "better", 0: "may be chance", -1: "worse"}


def write_recipes(tasting: Tasting, skipped: Sequence[tuple[str, str]], *, source: str, created: datetime) -> str:
    """Write the report; `source` names the test set, `skipped` the recipes that were not tried, and why."""
    said = f"{tasting.mails} mails of {source}, {created:%Y-%m-%d %H:%M} UTC. {NO_MAILS}"
    return page(
        "Comparison of training mixes",
        tag("h1", "Which training mail is best?"),
        tag("p", said, class_="faint"),
        tag("p", tasting.sentence, class_="answer"),
        *_numbers(tasting),
        *_differences(tasting),
        *_left_out(skipped),
    )


def _numbers(tasting: Tasting) -> Iterator[Markup]:
    yield tag("h2", "Side by side")
    bias = (
        f" Bias: how many times as often a big category ({', '.join(tasting.big)}) is chosen as it is right to; 1 is none."
        if tasting.big
        else " No category is much bigger than the others, so that there is no bias to measure."
    )
    yield tag("p", f"Local classifiers, all asked about the same mails. Small numbers are 95 % intervals.{bias}")
    rows = [
        (
            tag("b", one.trial.name) if one.trial.name == tasting.recommended else one.trial.name,
            one.trial.said,
            _number(one.accuracy),
            _number(one.macro_f1),
            "-" if one.bias is None else _number(one.bias, digits=2),
        )
        for one in tasting.results
    ]
    yield table(("recipe", "trained on", "accuracy", "macro-F1", "bias"), rows, words=2)
    yield from (tag("p", _say_spread(one), class_="faint") for one in tasting.results if len(one.trial.draws) > 1)


def _say_spread(one: Result) -> str:
    low, high = one.trial.spread
    return (
        f"{one.trial.name}: the numbers are means of {len(one.trial.draws)} draws; the accuracy of a single one is "
        f"{low:.3f} to {high:.3f}."
    )


def _differences(tasting: Tasting) -> Iterator[Markup]:
    compared = [(one, one.gain) for one in tasting.results if one.gain is not None]
    if not compared:
        return
    yield tag("h2", "Is the difference real?")
    yield tag(
        "p",
        f"Each against {tasting.results[0].trial.name}, on the same mails, in points. McNemar's exact test counts the mails "
        "that one alone got right (of several draws, the one in the middle); the intervals, and p of macro-F1, are a paired "
        "bootstrap over groups of mails. p is corrected for the number of recipes (Holm). Better or worse is what both agree "
        "on. All this is about these models and mail like this: other training mail of the same kind would teach a little "
        "otherwise, and no test on one training set can see how much.",
    )
    yield _draw_gains([(one.trial.name, gain) for one, gain in compared])
    rows = [(one.trial.name, *_difference(gain)) for one, gain in compared]
    columns = ("recipe", "it alone right", "the other alone right", "accuracy", "p", "macro-F1", "p", "")
    yield table(columns, rows)


def _draw_gains(gains: Sequence[tuple[str, Gain]]) -> Markup:
    """Draw the differences with their intervals, one recipe below the other: accuracy filled, macro-F1 hollow."""
    both = [one for _, gain in gains for one in (gain.accuracy, gain.macro_f1)]
    low, high = min(0.0, *(one.low for one in both)) - 0.005, max(0.0, *(one.high for one in both)) + 0.005
    left, width, row = 16 + LETTER * max(len(name) for name, _ in gains), 300, 36
    bottom = 24 + row * len(gains)

    def x(share: float) -> float:
        return left + (share - low) / (high - low) * width

    shapes = [
        tag("path", d=f"M{x(0):.1f} 22V{bottom}", stroke=INK, stroke_dasharray="5 4"),
        label(left, 12, "● accuracy   ○ macro-F1", fill=MARK, weight="600"),
    ]
    for place, (name, gain) in enumerate(gains):
        y = 40 + place * row
        shapes.append(label(left - 8, y + 4, name, anchor="end", fill=INK))
        for shift, one, fill in ((-6, gain.accuracy, MARK), (7, gain.macro_f1, "#fff")):
            shapes.append(tag("path", d=f"M{x(one.low):.1f} {y + shift}H{x(one.high):.1f}", stroke=MARK, stroke_width=2))
            shapes.append(tag("circle", cx=x(one.value), cy=y + shift, r=4, fill=fill, stroke=MARK, stroke_width=2))
    shapes.append(tag("path", d=f"M{left} {bottom}H{left + width}", stroke=LINE))
    for share in (low, 0.0, high):
        near = share != 0 and abs(x(share) - x(0)) < 30  # noqa: PLR2004
        shapes += [] if near else [label(x(share), bottom + 16, f"{100 * share:+.1f}" if share else "0", anchor="middle")]
    shapes.append(label(left + width / 2, bottom + 34, "points more than the first recipe", anchor="middle", fill=FAINT))
    return picture(left + width + 26, bottom + 42, shapes, said="Differences to the first recipe, with intervals")


def _difference(gain: Gain) -> tuple[object, ...]:
    return (
        gain.alone,
        gain.baseline_alone,
        _points(gain.accuracy),
        f"{gain.p_value:.2g}",
        _points(gain.macro_f1),
        f"{gain.p_macro_f1:.2g}",
        VERDICTS[gain.verdict],
    )


def _left_out(skipped: Sequence[tuple[str, str]]) -> Iterator[Markup]:
    if skipped:
        yield tag("h2", "Not tried")
        yield from (tag("p", tag("b", name), f": {why}.") for name, why in skipped)


def _number(estimate: Estimate, *, digits: int = 3) -> Markup:
    span = f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"
    return join((f"{estimate.value:.{digits}f} ", tag("small", span)))


def _points(estimate: Estimate) -> Markup:
    return join((f"{100 * estimate.value:+.1f} ", tag("small", f"{100 * estimate.low:+.1f} to {100 * estimate.high:+.1f}")))
