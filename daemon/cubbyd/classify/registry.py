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
    if model.labels is not config.classifier.labels:
        raise ModelFileError(
            file,
            f'was trained for labels = "{model.labels}", and the configuration has labels = "{config.classifier.labels}"; '
            f"set that, or train again: cubbyd train EXAMPLES.jsonl --labels {config.classifier.labels} --out {file}",
        )
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


def _open_rules(config: Config, open_kind: OpenKind) -> Classifier:
    from cubbyd.classify.ruled import open_rules

    return open_rules(config, open_kind)


def _open_hierarchical(config: Config, open_kind: OpenKind) -> Classifier:
    from cubbyd.classify.hierarchical import open_hierarchical

    return open_hierarchical(config, open_kind)


BACKENDS: Mapping[str, Callable[[Config, OpenKind], Classifier]] = {
    "local": _open_local,
    "openai": _open_openai,
    "embeddings": _open_embeddings,
    "cascade": _open_cascade,
    "shortlist": _open_shortlist,
    "ensemble": _open_ensemble,
    "rules": _open_rules,
    "hierarchical": _open_hierarchical,
}


def known_kinds() -> list[str]:
    """Name every backend that can be chosen here."""
    return sorted({*BACKENDS, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def load_classifier(config: Config) -> Classifier:
    """Load the backend that the configuration names, the rules before it, and the urgent net over both.

    Raises UnknownKind, ModelFileError, ConfigError.
    """
    from cubbyd.classify.urgent import UrgentClassifier, make_net

    net = make_net(config)
    ruled = _put_rules_before(config, open_backend(config))
    return UrgentClassifier(net, ruled) if net else ruled


def open_backend(config: Config) -> Classifier:
    """Load the backend with its fallback, without rules and net. Raises as load_classifier does."""
    from cubbyd.classify.fallback import open_fallback

    return open_fallback(config, lambda kind, with_its_file: open_kind(with_its_file, kind))


def open_kind(config: Config, kind: str) -> Classifier:
    """Open one backend by its kind, calibrated, without its fallback. Raises as load_classifier does."""
    return _open(config, kind, ())


def open_uncalibrated(config: Config) -> Classifier:
    """Open the configured kind without its fallback and its own curve; what it is made of is calibrated as ever.

    Raises UnknownKind, ModelFileError, ConfigError.
    """
    return _open_bare(config, config.classifier.kind, ())


def _put_rules_before(config: Config, backend: Classifier) -> Classifier:
    if not config.rules or config.classifier.kind == "rules":
        return backend
    from cubbyd.classify.ruled import RuledClassifier, rulebook_of

    return RuledClassifier(rulebook_of(config), backend, order=config.taxonomy.ids)


def _open(config: Config, kind: str, outer: tuple[str, ...]) -> Classifier:
    bare = _open_bare(config, kind, outer)
    if config.classifier.calibration is None:
        return bare
    from cubbyd.classify.calibrated import calibrate_opened  # loads numpy, which a hosted classifier alone does not need

    return calibrate_opened(config, bare)


def _open_bare(config: Config, kind: str, outer: tuple[str, ...]) -> Classifier:
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
