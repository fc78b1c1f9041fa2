"""What the web server says: the page for people and the body of /healthz, from a survey. Pure; no mail text, no script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from cubbyd import __version__
from cubbyd.lifecycle import State
from cubbyd.service.duration import age
from cubbyd.service.lookout import Sight, Survey

REFRESH_SECONDS: Final = 60

STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#fff}
h1{font-size:1.4rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.well,p.ill{padding:.6rem 1rem;border-left:.4rem solid;border-radius:.2rem}
p.well{background:#e8f5ec;border-color:#1f7a3d}p.ill{background:#fdecea;border-color:#b3261e}
dl{display:flex;flex-wrap:wrap;gap:1rem 2rem;margin:.5rem 0}dt{color:#5b6472;font-size:.85rem}dd{margin:0;font-size:1.3rem}
table{border-collapse:collapse;margin:.5rem 0;width:100%}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #dde2e9;vertical-align:top}
table.counts{width:auto;min-width:24rem}
th{font-weight:600;color:#5b6472;white-space:nowrap}.counts th:last-child{text-align:right}td.n{text-align:right}
footer{margin-top:3rem;color:#5b6472;font-size:.85rem}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}p.well{background:#12301c}p.ill{background:#3b1513}
th,td{border-color:#333b47}dt,th,footer{color:#9aa4b2}}
"""
STYLE_HASH: Final = f"sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}"
"""What the Content-Security-Policy lets through, and nothing else."""


def healthz(survey: Survey) -> dict[str, Any]:
    """Say of each mailbox whether it is well, and what is wrong: the words of `cubbyd status --check`."""
    return {
        "ok": survey.is_well,
        "version": __version__,
        "at": _iso(survey.taken_at),
        "error": survey.error,
        "mailboxes": [
            {
                "mailbox": view.name,
                "ok": view.trouble is None,
                "stopped": bool(view.trouble and view.trouble.has_stopped),
                "trouble": view.trouble.what if view.trouble else None,
                "trouble_since": _iso(view.trouble.since) if view.trouble else None,
                "way_out": view.trouble.way_out if view.trouble else None,
                "last_success": _iso(view.last_success),
                "waiting": view.waiting,
                "quarantined": view.count({State.QUARANTINED}),
                "oldest_unfiled": _iso(view.oldest_unfiled),
            }
            for view in (sight.view for sight in survey.sights)
        ],
    }


def render_page(survey: Survey) -> str:
    """Write the page. Times are UTC, as the reader's zone is not known without a script."""
    parts = [_verdict(survey), *(_mailbox(sight, survey.taken_at) for sight in survey.sights)]
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>cubbyd{'' if survey.is_well else ': trouble'}</title>"
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<style>{STYLE}</style></head><body><h1>cubbyd</h1>{''.join(parts)}"
        f"<footer>cubbyd {escape(__version__)} · {_time(survey.taken_at)} · the page renews itself every minute · "
        f"<code>cubbyd status</code> and <code>cubbyd history</code> say more</footer></body></html>"
    )


def _verdict(survey: Survey) -> str:
    if survey.error is not None:
        return f'<p class="ill">The state cannot be read: {escape(survey.error)}</p>'
    if survey.is_well:
        return '<p class="well">Mail is filed, and none waits too long.</p>'
    lines = []
    for view in (sight.view for sight in survey.sights):
        if (trouble := view.trouble) is not None:
            verb = "filing has stopped" if trouble.has_stopped else "mail is left behind"
            since = f" since {_time(trouble.since)}" if trouble.since else ""
            lines.append(
                f'<p class="ill"><strong>{escape(view.name)}: {verb}{since}</strong><br>'
                f"{escape(trouble.what)}<br>{escape(trouble.way_out)}</p>"
            )
    return "".join(lines)


def _mailbox(sight: Sight, now: datetime) -> str:
    view = sight.view
    facts = [
        ("last good pass", _ago(view.last_success, now)),
        ("oldest unfiled", age(view.oldest_unfiled, now)),
        ("waiting", f"{view.waiting:,}"),
        *((str(state), f"{view.counts.get(state, 0):,}") for state in (State.FILED, State.HELD, State.QUARANTINED)),
    ]
    if view.old_mail_left:
        facts.append(("old mail left", f"{view.old_mail_left:,}"))
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f"<section><h2>{escape(view.name)}</h2><dl>{listed}</dl>{_today(sight)}{_errors(sight, now)}</section>"


def _today(sight: Sight) -> str:
    rows = [(category or "no category", count) for category, count in sight.today.filed.items()]
    rows += [("held for people", held)] if (held := sum(sight.today.held.values())) else []
    moved = sum(one.mails for one in sight.today.moves if one.is_correction)
    rows += [("corrected by people", moved)] if moved else []
    if not rows:
        return "<p>Nothing was filed in the last 24 hours.</p>"
    return _table(("in the last 24 hours", "mails"), ([escape(name), f"{count:,}"] for name, count in rows), " class=counts")


def _errors(sight: Sight, now: datetime) -> str:
    rows = [[f"mail {snag.uid}", f"{snag.state}, {_ago(snag.since, now)}", escape(snag.error)] for snag in sight.snags]
    outcome = sight.view.outcome
    if outcome is not None and outcome.error:
        rows.insert(0, ["pass", _ago(outcome.failed_at, now), escape(outcome.error)])
    return _table(("last errors", "", ""), rows) if rows else ""


def _table(head: Iterable[str], rows: Iterable[list[str]], kind: str = "") -> str:
    """Write a table; cells are HTML already. A cell that is a number stands to the right."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += [
        "".join(f"<td{' class=n' if cell.replace(',', '').isdigit() else ''}>{cell}</td>" for cell in row) for row in rows
    ]
    return f"<table{kind}>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{age(moment, now)} ago"
