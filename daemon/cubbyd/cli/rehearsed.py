"""How a rehearsal reads, for people and for programs: first what to expect, and only then how to begin moving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from cubbyd.cli.output import console, printable, table

if TYPE_CHECKING:
    from cubbyd.evaluation.score import Estimate
    from cubbyd.setup.prospect import Prospect, Traffic

SHOWN_CONFUSIONS: Final = 8
KILOBYTE: Final = 1000


def print_prospect(prospect: Prospect) -> None:
    """Print everything."""
    for part in (_print_mail, _print_expectation, _print_categories, _print_confusions, _print_steps, _print_month):
        part(prospect)
        click.echo()
    _print_verdict(prospect)


# --- what was looked at ------------------------------------------------------------------------------------------------


def _print_mail(prospect: Prospect) -> None:
    seen, score = prospect.seen, prospect.evaluation.score
    rows = [
        [printable(one.folder), one.category, one.mails, one.read, "" if one.is_whole else "the newest"]
        for one in seen.filed.folders
    ]
    console().print(table("The mail that people have filed", ["folder", "category", "mails", "read", ""], rows))
    for reason, count in seen.skips.counts.most_common():
        places = ", ".join(printable(place) for place in seen.skips.places[reason])
        click.echo(f"  not read: {count} x {reason} ({places})")
    without = ((seen.left_out, "that were trained on"), (seen.filed.unread, "that have no word"))
    left = "".join(f"; left out are {count} {text}" for count, text in without if count)
    click.echo(f"Measured on {score.mails} mails in {score.groups} groups (threads){left}. Brackets hold 95 % intervals.")
    if failures := prospect.evaluation.sheet.answers.failures:
        click.echo(f"{len(failures)} mails got no answer and do not count: {failures[0]}")
    if seen.may_be_known:
        names = ", ".join(one.name for one in seen.training.unproven)
        click.echo(
            f"! {seen.may_be_known} of them arrived before {names} was made, and it may have been trained on them: then the "
            "numbers flatter. Name its examples with --trained-on FILE."
        )
    if not all(one.is_whole for one in seen.filed.folders):
        click.echo("! Of some folders the newest mails alone were read (--most): the mix is not quite that of your mail.")


def _print_expectation(prospect: Prospect) -> None:
    numbers = prospect.evaluation.score.numbers
    click.echo(f"To expect of {prospect.evaluation.name} ({prospect.evaluation.sheet.provenance.model}):")
    rows = [
        ["right", _percent(numbers["accuracy"]), "its first choice is the folder that a person chose"],
        ["balanced", _percent(numbers["macro_f1"]), "the same, but each category counts alike (macro F1)"],
        ["by itself", _percent(numbers["filed"]), "is filed without a person, with the thresholds in force"],
        ["of that right", _percent(prospect.right), "and lands where a person put it"],
    ]
    console().print(table("", ["", "", ""], rows))


def _print_categories(prospect: Prospect) -> None:
    rows = [
        [
            share.category,
            share.mails,
            _percent(of_category.recall),
            share.filed,
            share.right,
            f"{bar:.3f}",
        ]
        for share, of_category, bar in zip(
            prospect.shares, prospect.evaluation.score.categories, prospect.evaluation.bars, strict=True
        )
    ]
    columns = ["category", "mails", "found", "filed here", "rightly", "threshold"]
    console().print(table("By category", columns, rows))


def _print_confusions(prospect: Prospect) -> None:
    found = prospect.evaluation.confusions[:SHOWN_CONFUSIONS]
    if not found:
        click.echo("Nothing was taken for anything else.")
        return
    rows = [[one.right, one.chosen, one.mails, one.filed] for one in found]
    console().print(table("What it takes for what", ["filed by people as", "taken for", "mails", "would be moved"], rows))


def _print_steps(prospect: Prospect) -> None:
    rows = [[f"{step.threshold:.2f}", _percent(step.filed), _percent(step.right)] for step in prospect.steps]
    console().print(table("By itself, with one threshold for all", ["threshold", "filed", "of that right"], rows))


# --- a month -----------------------------------------------------------------------------------------------------------


def _print_month(prospect: Prospect) -> None:
    missing = prospect.seen.missing
    click.echo(f"Folders to be created: {', '.join(map(printable, missing)) if missing else 'none'}.")
    if prospect.per_month is None:
        click.echo("A month: the filed mail is too young or too old to tell how much comes; say it with --mails-per-month N.")
    else:
        click.echo(f"A month: about {prospect.per_month:,.0f} mails. {_say_money(prospect)}")
    if not prospect.traffic:
        click.echo("Nothing leaves the building.")
    for one in prospect.traffic:
        click.echo(_say_traffic(one, len(prospect.seen.answered)))


def _say_money(prospect: Prospect) -> str:
    if not prospect.seen.services:
        return "They cost nothing: the classifier runs on this machine."
    if prospect.money_per_month is None:
        return "What they cost cannot be said: the configuration has no prices (price_per_million_input_tokens and so on)."
    return f"They cost about {prospect.money_per_month:.2f} in the currency of your prices."


def _say_traffic(one: Traffic, mails: int) -> str:
    what = "text with names and numbers masked" if one.service.is_masked else "TEXT AS IT IS, NAMES AND ALL"
    month = (
        ""
        if one.bytes_per_month is None or one.mails_per_month is None
        else f": in a month about {one.mails_per_month:,.0f} mails, {one.bytes_per_month / KILOBYTE:,.0f} kB"
    )
    return (
        f"Leaves the building for {one.service.address}: {what}, of {one.asked} of {mails} mails, "
        f"{one.bytes_each / KILOBYTE:.1f} kB each with the question{month}."
    )


# --- the end -----------------------------------------------------------------------------------------------------------


def _print_verdict(prospect: Prospect) -> None:
    if prospect.doubts:
        click.echo("Not yet:")
        for doubt in prospect.doubts:
            click.echo(f"  - {doubt}")
        click.echo("Nothing was changed. Rehearse again afterwards.")
        return
    click.echo(f"At least {prospect.precision:.0%} of what is filed by itself is right, as surely as these mails can tell.")
    click.echo(f"To begin: {say_switch(prospect)}")


def say_switch(prospect: Prospect) -> str:
    """Say how to go from observing to moving."""
    return (
        f'set action = "move" in [filing] of {prospect.config_file}, then `cubbyd check`, and `systemctl reload cubbyd` or '
        "`cubbyd run`. What it files, `cubbyd undo` takes back."
    )


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value:.1%} [{estimate.low:.1%} to {estimate.high:.1%}]"


# --- for programs ------------------------------------------------------------------------------------------------------


def facts(prospect: Prospect) -> dict[str, Any]:
    """Give everything as an object; no text of a mail."""
    from cubbyd.evaluation.whole import facts as facts_of_evaluation

    seen = prospect.seen
    return {
        "action": str(prospect.action),
        "folders": [
            {
                "folder": one.folder,
                "category": one.category,
                "mails": one.mails,
                "read": one.read,
                "whole": one.is_whole,
            }
            for one in seen.filed.folders
        ],
        "not_read": [
            {"reason": reason, "count": count, "first": seen.skips.places[reason]}
            for reason, count in seen.skips.counts.items()
        ],
        "trained_on": [str(file) for file in seen.training.files],
        "left_out": seen.left_out,
        "may_be_known": seen.may_be_known,
        "expectation": facts_of_evaluation(prospect.evaluation),
        "right_when_filed": _plain(prospect.right),
        "by_category": {one.category: {"mails": one.mails, "filed": one.filed, "right": one.right} for one in prospect.shares},
        "by_threshold": [
            {"threshold": step.threshold, "filed": _plain(step.filed), "right": _plain(step.right)} for step in prospect.steps
        ],
        "folders_to_be_created": list(seen.missing),
        "per_month": {
            "mails": _round(prospect.per_month, 1),
            "money": 0.0 if not seen.services else _round(prospect.money_per_month, 4),
        },
        "leaves_the_building": [_traffic_facts(one) for one in prospect.traffic],
        "ready": prospect.is_ready,
        "doubts": list(prospect.doubts),
        "next": say_switch(prospect) if prospect.is_ready else None,
    }


def _traffic_facts(one: Traffic) -> dict[str, Any]:
    return {
        "to": one.service.address,
        "masked": one.service.is_masked,
        "mails_asked": one.asked,
        "bytes_per_mail": _round(one.bytes_each, 1),
        "mails_per_month": _round(one.mails_per_month, 1),
        "bytes_per_month": _round(one.bytes_per_month, 0),
    }


def _plain(estimate: Estimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {"value": round(estimate.value, 4), "low": round(estimate.low, 4), "high": round(estimate.high, 4)}


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
