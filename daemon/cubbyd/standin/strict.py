"""The SDK's own request types, made strict: every key known, every required key there, every list looked into.

As they are, pydantic reads them lazily (an Iterable is never looked into), takes unknown keys, and knows of no required one,
because their annotations are strings.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import typing_extensions
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

_PLAIN: Final = (str, int, float, bool, type(None))
_LISTS: Final = (list, Iterable, Sequence)
_MAPS: Final = (dict, Mapping)
_REQUIRED: Final[tuple[Any, ...]] = (typing.Required, typing_extensions.Required)
_NOT_REQUIRED: Final[tuple[Any, ...]] = (typing.NotRequired, typing_extensions.NotRequired)


def strict_adapter(typed_dict: Any) -> TypeAdapter[Any]:
    """Make a validator of a TypedDict of the SDK."""
    return TypeAdapter(_Maker().make(typed_dict))


class _Maker:
    """Turns types into types that pydantic checks at once; one for each adapter."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def make(self, annotation: Any) -> Any:
        if typing_extensions.is_typeddict(annotation):
            return self._model(annotation)
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated or origin in _REQUIRED or origin in _NOT_REQUIRED:
            return self.make(arguments[0])
        if origin in {typing.Union, types.UnionType}:
            return typing.Union[tuple(self.make(argument) for argument in arguments)]  # noqa: UP007  (made at run time)
        if origin in _LISTS:
            return list[self.make(arguments[0])]  # type: ignore[misc]
        if origin in _MAPS:
            return dict[str, self.make(arguments[1])]  # type: ignore[misc]
        if origin is typing.Literal or origin is typing_extensions.Literal or annotation in _PLAIN:
            return annotation
        return Any

    def _model(self, typed_dict: Any) -> Any:
        if typed_dict in self._made:
            return self._made[typed_dict]
        self._made[typed_dict] = Any  # a type that holds itself is not looked into a second time
        hints = typing_extensions.get_type_hints(typed_dict, include_extras=True)
        is_total = getattr(typed_dict, "__total__", True)
        fields: dict[str, Any] = {}
        for key, hint in hints.items():
            origin = typing.get_origin(hint)
            is_required = origin in _REQUIRED
            may_miss = origin in _NOT_REQUIRED or not is_total
            default = ... if is_required or not may_miss else None
            fields[f"key_{key}"] = (self.make(hint), Field(default, alias=key))
        config = ConfigDict(extra="forbid", strict=True)
        model: type[BaseModel] = create_model(typed_dict.__name__, __config__=config, **fields)
        self._made[typed_dict] = model
        return model
