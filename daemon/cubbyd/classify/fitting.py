"""Whether a model file could stand in the place of the configured one: opened as the daemon would open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cubbyd.classify.calibrated import shortcomings
from cubbyd.classify.card import read_about
from cubbyd.classify.members import stand_alone
from cubbyd.classify.registry import open_kind
from cubbyd.config import Config
from cubbyd.config.composite import MEMBER_TABLES, WITHOUT_FILE, MemberSection
from cubbyd.errors import ModelFileError


def demand_fit(config: Config, file: Path) -> list[str]:
    """Open a model file in the place of [classifier] model; give what a person should know all the same.

    Raises ModelFileError where it does not fit the configuration: another kind, categories that the configuration does not
    have, another renderer, damaged; and whatever else opening raises.
    """
    kind, readers = read_about(file).kind, list(_readers(config))
    if not readers:
        reason = f'the configuration has kind = "{config.classifier.kind}", which reads no model file; nothing would use it'
        raise ModelFileError(file, f"{reason}; change [classifier] of {config.file} first")
    if kind not in {reader.classifier.kind for reader in readers}:
        known = " or ".join(dict.fromkeys(f'"{reader.classifier.kind}"' for reader in readers))
        raise ModelFileError(
            file,
            f'is of kind "{kind}", and the model that {config.file} names is of kind {known}; '
            f'set kind = "{kind}" in [classifier] first, or take another model',
        )
    said: list[str] = []
    for reader in readers:
        if reader.classifier.kind == kind:
            said += _try(reader, file)
    return list(dict.fromkeys(said))


def _try(reader: Config, file: Path) -> list[str]:
    classifier = reader.classifier.model_copy(update={"model": file.absolute()})
    changed = reader.model_copy(update={"classifier": classifier}).read_from(reader.file)
    opened = open_kind(changed, classifier.kind)
    try:
        said = shortcomings(changed, opened)
        if unknown := [one for one in reader.taxonomy.ids if one not in opened.categories]:
            said.append(f"the model knows no example of: {', '.join(unknown)}; it will never choose them")
    finally:
        opened.close()
    return said


def _readers(config: Config) -> Iterator[Config]:
    """Give the configuration of each classifier that reads [classifier] model, as if it stood alone."""
    place, section = config.classifier.model, config.classifier
    for member in [MemberSection(kind=section.kind), *([section.fallback] if section.fallback else [])]:
        for alone in _parts(config, member, frozenset()):
            if alone.classifier.kind not in WITHOUT_FILE and alone.classifier.model == place:
                yield alone.read_from(config.file)


def _parts(config: Config, member: MemberSection, outer: frozenset[str]) -> Iterator[Config]:
    """Give a classifier and what it is made of."""
    alone = stand_alone(config, member)
    yield alone
    table = getattr(config.classifier, member.kind, None) if member.kind in MEMBER_TABLES else None
    if table is None or member.kind in outer:
        return
    for key in MEMBER_TABLES[member.kind]:
        given = getattr(table, key) or ()
        for inner in given if isinstance(given, tuple) else (given,):
            yield from _parts(alone, inner, outer | {member.kind})
