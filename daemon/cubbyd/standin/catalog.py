"""GET /models, GET and DELETE /models/{model}: what can be asked for, and until when."""

from __future__ import annotations

from typing import Final

from cubbyd.standin.endpoint import Body, Call, Endpoint, Refused

CREATED: Final = 1_795_000_000
MODELS: Final = ("gpt-6-luna", "text-embedding-3-small", "text-embedding-3-large")

_MODEL: Final = "openai.types:Model"


class Catalog:
    """The models that the stand-in says it has; it answers for any other name too, as a server with models of its own does."""

    def __init__(self) -> None:
        """Begin with a language model and two that make vectors."""
        self._models = {name: _describe(name, "stand-in", CREATED) for name in MODELS}

    def add(self, name: str, *, owner: str = "stand-in", created: int = CREATED, shutdown_date: str | None = None) -> None:
        """Add a model, or describe one anew; the day of its shutdown as "2027-01-14"."""
        self._models[name] = _describe(name, owner, created) | {"shutdown_date": shutdown_date}

    def __contains__(self, name: str) -> bool:
        """Tell whether there is such a model."""
        return name in self._models

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Give the endpoints."""
        return (
            Endpoint(method="GET", path="/models", handle=self._list, answer=_MODEL, is_list=True),
            Endpoint(method="GET", path="/models/{model}", handle=self._get, answer=_MODEL),
            Endpoint(method="DELETE", path="/models/{model}", handle=self._delete, answer="openai.types:ModelDeleted"),
        )

    def _list(self, _: Call) -> Body:
        return {"object": "list", "data": list(self._models.values())}

    def _get(self, call: Call) -> Body:
        name = call.names["model"]
        if name not in self._models:
            raise Refused(f"The model '{name}' does not exist", status=404, param="model", code="model_not_found")
        return self._models[name]

    def _delete(self, call: Call) -> Body:
        name = self._get(call)["id"]
        if not name.startswith("ft:"):
            raise Refused(f"The model '{name}' cannot be deleted.", status=403, param="model")
        del self._models[name]
        return {"id": name, "object": "model", "deleted": True}


def _describe(name: str, owner: str, created: int) -> Body:
    return {"id": name, "object": "model", "created": created, "owned_by": owner, "shutdown_date": None}
