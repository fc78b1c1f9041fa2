"""`cubbyd check`: look at everything that a run needs, say what would happen, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cubbyd.classify.protocol import Classifier
from cubbyd.cli.member import describe_classifier, members_of
from cubbyd.cli.output import say_json, say_threshold
from cubbyd.config import Backlog, Config, find_config, load_config
from cubbyd.errors import EXIT_CONFIG, EXIT_FAILED, CubbydError, SecretHidden
from cubbyd.mailbox import Mailbox, open_mailbox
from cubbyd.service.account import make_account
from cubbyd.taxonomy import Category, CategoryId


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was looked at: facts, warnings, and errors that would keep cubbyd from filing."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    exit_code: int = 0

    def fail(self, error: CubbydError) -> None:
        """Remember an error and the exit code that it stands for."""
        self.errors.append(str(error))
        self.exit_code = self.exit_code or error.exit_code or EXIT_FAILED


@click.command()
@click.option("--offline", is_flag=True, help="Ask no mail server: check the configuration, the passwords and the model alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each thing that was checked.")
@click.pass_obj
def command(config_file: Path | None, *, offline: bool, as_json: bool) -> None:
    """Check the configuration, each connection and login, what the servers can do, the folders, and the model.

    Nothing is changed: no folder is made, no mail is touched. Ends with 0 where a run would work; with --offline, where a
    reload would be accepted.

    \b
    Example:
      cubbyd --config cubbyd.toml check
    """
    file = find_config(config_file)
    config = load_config(file)
    from cubbyd.service.log import configure_logging

    configure_logging(config.log)
    findings = [
        _configuration(file, config),
        *_rules(config),
        *_classifiers(config, offline=offline),
        *((_password if offline else _mailbox)(file, config, name) for name in config.mailboxes),
    ]
    for finding in findings:
        if as_json:
            extra = {"warnings": finding.warnings, "errors": finding.errors}
            say_json({"check": finding.name, "ok": not finding.errors, **finding.facts, **extra})
        else:
            _print(finding)
    code = next((finding.exit_code for finding in findings if finding.exit_code), 0)
    if not as_json:
        next_step = (
            "`cubbyd check`, which asks the mail server too"
            if offline
            else "`cubbyd run --once --observe`, then `cubbyd history`"
        )
        done = f"{'All that is on this machine' if offline else 'Everything'} is ready. Next: {next_step}."
        click.echo(done if not code else "Not ready: mend what is marked with ✗ and check again.")
    click.get_current_context().exit(code)


def _print(finding: Findings) -> None:
    click.echo(f"{'✗' if finding.errors else '✓'} {finding.name}")
    for key, value in finding.facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        click.echo(f"    {key.replace('_', ' ')}: {shown if shown not in ('', None) else '-'}")
    for warning in finding.warnings:
        click.echo(f"    ! {warning}")
    for error in finding.errors:
        click.echo(f"    ✗ {error}")


def _configuration(file: Path, config: Config) -> Findings:
    return Findings(
        name=f"configuration {file}",
        facts={
            "mailboxes": sorted(config.mailboxes),
            "categories": len(config.categories),
            "action": config.filing.action,
            "threshold": config.classifier.threshold,
            "unsure_mail": "stays in the inbox" if config.filing.unsure == "stay" else f"goes to {config.review_folder}",
            "urgent_net": "on" if config.urgent.enabled else "off",
            "state": str(config.state.directory),
        },
    )


def _rules(config: Config) -> list[Findings]:
    """Look at the rules where there are any: what can never decide is an error, what only does less than it seems is not."""
    if not config.rules:
        return []
    from cubbyd.classify.review import review_rules
    from cubbyd.classify.rule import compile_rules, digest_of

    rules = compile_rules(config.rules)
    found = Findings(name="rules", facts={"rules": len(rules), "digest": digest_of(rules)})
    for finding in review_rules(rules):
        if finding.is_error:
            found.errors.append(finding.text)
            found.exit_code = EXIT_CONFIG
        else:
            found.warnings.append(finding.text)
    return [found]


def _classifiers(config: Config, *, offline: bool) -> Iterator[Findings]:
    """Look at the classifier, and where that opens at those that it is made of."""
    from cubbyd.classify.registry import load_classifier, open_kind

    whole = _model(config, f"classifier {config.classifier.kind}", load_classifier, offline=offline)
    yield whole
    if whole.facts and not whole.errors:
        for place, alone in members_of(config):
            yield _model(
                alone, f"classifier {place}", lambda member: open_kind(member, member.classifier.kind), offline=offline
            )


def _model(config: Config, name: str, load: Callable[[Config], Classifier], *, offline: bool) -> Findings:
    found = Findings(name=name)
    try:
        classifier = load(config)
    except CubbydError as error:
        _fail_or_warn(found, error, offline=offline)
        return found
    found.facts["model"] = classifier.provenance.model
    try:
        describe_classifier(found, config)
    except CubbydError as error:
        found.fail(error)
    _calibration(found, config, classifier)
    unknown = set(config.taxonomy.ids) - set(classifier.categories)
    if unknown:
        found.warnings.append(f"the model knows no example of: {', '.join(sorted(unknown))}; it will never choose them")
    classifier.close()
    return found


def _calibration(found: Findings, config: Config, classifier: Classifier) -> None:
    """Say whether probabilities are calibrated, and which threshold each category has, from where."""
    from cubbyd.classify.calibrated import calibration_in_force, shortcomings, thresholds_in_force

    if calibration := calibration_in_force(classifier):
        found.facts["calibration"] = (
            f"{calibration.curve.method}, found on {calibration.examples} mails on {calibration.created:%Y-%m-%d}; "
            f"calibration error {calibration.error_before:.3f} before, {calibration.error_after:.3f} after"
        )
    else:
        found.facts["calibration"] = "none; probabilities are used as the classifier gives them"
    measured = thresholds_in_force(config, classifier)
    if measured or any(category.threshold is not None for category in config.taxonomy):
        found.facts["thresholds"] = [
            f"{category.id} {say_threshold(value)} ({source})"
            for category in config.taxonomy
            for value, source in [_threshold(category, measured, config.classifier.threshold)]
        ]
    found.warnings += shortcomings(config, classifier)


def _threshold(category: Category, measured: Mapping[CategoryId, float], general: float) -> tuple[float, str]:
    if category.threshold is not None:
        return category.threshold, "configured"
    return (measured[category.id], "measured") if category.id in measured else (general, "general")


def _mailbox(file: Path, config: Config, name: str) -> Findings:
    section = config.mailboxes[name]
    found = Findings(name=f"mailbox {name}")
    try:
        account = make_account(file, name, section, config.state.directory)
        found.facts["server"] = account.server
        mailbox = open_mailbox(account)
        try:
            _look_at(found, config, section.inbox, mailbox)
        finally:
            mailbox.close()
        if account.tokens:
            found.facts["token_ends"] = account.tokens.expires_at
            if ends_at := account.tokens.credential_ends_at:
                found.facts["login_ends"] = ends_at
    except CubbydError as error:
        found.fail(error)
    return found


def _password(file: Path, config: Config, name: str) -> Findings:
    """Look whether there is a password, or what tokens are asked for with; whether it is right, the server alone can tell."""
    found = Findings(name=f"mailbox {name}", facts={"server": "not asked"})
    try:
        make_account(file, name, config.mailboxes[name], config.state.directory)
    except CubbydError as error:
        _fail_or_warn(found, error, offline=True)
    return found


def _fail_or_warn(found: Findings, error: CubbydError, *, offline: bool) -> None:
    """Let a reload go on where the daemon alone may read a secret, as systemd hides it from ExecReload=; it looks again."""
    if offline and isinstance(error, SecretHidden):
        found.warnings.append(f"not checked, the daemon itself will: {error}")
    else:
        found.fail(error)


def _look_at(found: Findings, config: Config, inbox: str, mailbox: Mailbox) -> None:
    observing = config.filing.action == "observe"
    status = mailbox.select(inbox, read_only=observing)
    able = mailbox.capabilities
    found.facts["login"] = "accepted"
    found.facts["moving"] = (
        "MOVE" if able.move else "COPY, then removing the original" + ("" if able.uidplus else " (no UIDPLUS)")
    )
    found.facts["watching"] = "IDLE, and polling" if able.idle else "polling alone"
    if not observing:
        found.facts["keywords"] = "kept" if status.keywords_allowed else "not kept by this server"
    found.facts["mail_in_inbox"] = status.exists
    missing = [folder for folder in config.target_folders if mailbox.status(folder) is None]
    if "move" in config.filing.action:
        found.facts["folders_to_be_created"] = missing
    found.facts["what_would_happen"] = _prospect(config, status.exists)
    if "label" in config.filing.action and not status.keywords_allowed:
        only = config.filing.action == "label"
        found.warnings.append(
            "the server keeps no keywords: " + ("nothing can be labeled" if only else "mail is moved, not labeled")
        )
        if only:
            found.fail(CubbydError('set action = "move" in [filing]'))
    if not able.move and not able.uidplus:
        found.warnings.append(
            "without MOVE and UIDPLUS a moved mail may show struck through in the inbox until a client expunges it"
        )


def _prospect(config: Config, count: int) -> str:
    does = {
        "observe": "be decided and recorded; nothing would change",
        "label": "get the keyword of their category and stay",
        "move": "be moved to their category's folder",
        "move+label": "get their category's keyword and be moved to its folder",
    }[config.filing.action]
    unsure = "unsure ones would be held"
    match config.filing.backlog:
        case Backlog.FILE:
            return f"{count} mails of the inbox, but for those handled before, would {does}; {unsure}"
        case Backlog.IGNORE:
            before = 'is left alone (backlog = "ignore" in [filing])'
        case days:
            before = f"is left alone where it came more than {days} days earlier (backlog in [filing])"
    return f"new mail would {does}; {unsure}; what was in the inbox before cubbyd first opened it {before}"
