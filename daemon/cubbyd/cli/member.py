"""What `cubbyd check` says of a classifier beyond its name: where a hosted one sends mail, and what each part of several is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cubbyd.classify.members import stand_alone
from cubbyd.config import Config, MemberSection
from cubbyd.config.composite import MEMBER_TABLES, WITHOUT_FILE

if TYPE_CHECKING:
    from cubbyd.cli.check import Findings


def describe_classifier(found: Findings, config: Config) -> None:
    """Add what is known of the chosen kind. Raises CubbydError."""
    section = config.classifier.openai
    if config.classifier.kind == "openai" and section is not None:
        from cubbyd.classify.hosted.survey import survey

        seen = survey(config, section)
        found.facts |= seen.facts
        found.warnings += seen.warnings
        if seen.error is not None:
            found.fail(seen.error)
    elif config.classifier.kind not in WITHOUT_FILE:
        found.facts["file"] = str(config.classifier.model)


def members_of(config: Config) -> Iterator[tuple[str, Config]]:
    """Give each classifier that the chosen one is made of, by its place, with the configuration in which it stands alone.

    The fallback is one of them.
    """
    if config.classifier.fallback is not None:
        alone = stand_alone(config, config.classifier.fallback)
        yield f"fallback: {config.classifier.fallback.kind}", alone
        yield from members_of(alone)
    kind = config.classifier.kind
    table = getattr(config.classifier, kind, None) if kind in MEMBER_TABLES else None
    for key in MEMBER_TABLES[kind] if table is not None else ():
        value = getattr(table, key)
        for section in [value] if isinstance(value, MemberSection) else value or ():
            alone = stand_alone(config, section)
            yield f"{kind}.{key}: {section.kind}", alone
            yield from members_of(alone)
