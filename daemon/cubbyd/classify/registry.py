"""The classifier backends by name; each is imported only once the configuration chooses it.

Other packages can add one by the entry point group `cubbyd.classifiers`: a callable that takes the Config and gives a
Classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from cubbyd.classify.members import OpenKind
from cubbyd.classify.protocol import Classifier
from cubbyd.config import Config
from cubbyd.errors import ModelFileError, UnknownKind

ENTRY_POINTS = "cubbyd.classifiers"


def _open_local(config: Config, _: OpenKind) -> Classifier:
    from cubbyd.classify.local import LocalClassifier
    from cubbyd.classify.modelfile import load_model
    from cubbyd.message import RENDERER_VERSION

    file = config.classifier.model
    if not file.exists():
        raise ModelFileError(file, f"there is no model yet; make one: cubbyd train EXAMPLES.jsonl --out {file}")
    model = load_model(file, renderer=RENDERER_VERSION)
    unknown = [category for category in model.categories if category not in config.taxonomy]
    if unknown:
        raise ModelFileError(
            file,
            f"was trained with the category {unknown[0]!r}, which the configuration does not have; "
            "add it under [[categories]], or train again with the configuration's categories",
        )
    return LocalClassifier(model)


def _open_openai(config: Config, _: OpenKind) -> Classifier:
    from cubbyd.classify.hosted.opening import open_hosted

    return open_hosted(config)


def _open_embeddings(config: Config, _: OpenKind) -> Classifier:
    from cubbyd.classify.embedding.opening import open_embeddings

    return open_embeddings(config)


def _open_cascade(config: Config, open_kind: OpenKind) -> Classifier:
    from cubbyd.classify.cascade import open_cascade

    return open_cascade(config, open_kind)


def _open_shortlist(config: Config, open_kind: OpenKind) -> Classifier:
    from cubbyd.classify.shortlist import open_shortlist

    return open_shortlist(config, open_kind)


def _open_ensemble(config: Config, open_kind: OpenKind) -> Classifier:
    from cubbyd.classify.ensemble import open_ensemble

    return open_ensemble(config, open_kind)


BACKENDS: Mapping[str, Callable[[Config, OpenKind], Classifier]] = {
    "local": _open_local,
    "openai": _open_openai,
    "embeddings": _open_embeddings,
    "cascade": _open_cascade,
    "shortlist": _open_shortlist,
    "ensemble": _open_ensemble,
}


def known_kinds() -> list[str]:
    """Name every backend that can be chosen here."""
    return sorted({*BACKENDS, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def load_classifier(config: Config) -> Classifier:
    """Load the backend that the configuration names. Raises UnknownKind, ModelFileError."""
    return _open(config, config.classifier.kind, ())


def _open(config: Config, kind: str, outer: tuple[str, ...]) -> Classifier:
    """Open a backend; outer are those that it is a part of, which it must not be made of again."""
    if kind in outer:
        raise UnknownKind(kind, _known_inside(outer))
    if kind in BACKENDS:
        return BACKENDS[kind](config, lambda inner, with_its_file: _open(with_its_file, inner, (*outer, kind)))
    for point in entry_points(group=ENTRY_POINTS, name=kind):
        loaded: Classifier = point.load()(config)
        return loaded
    raise UnknownKind(kind, _known_inside(outer))


def _known_inside(outer: tuple[str, ...]) -> list[str]:
    return [known for known in known_kinds() if known not in outer]
