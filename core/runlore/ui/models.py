"""Endpoints for models with names: all of them, and one with its versions, aliases and history."""

from typing import Any

from runlore._text import as_time
from runlore.documents import change_document, model_document, models_document
from runlore.index.parse import parse_moment
from runlore.store.store import Store
from runlore.ui.endpoints import Endpoint, Parameter, Refused

MAX_SHOWN = 500  # versions of a model, and changes, the newest


def models(store: Store) -> list[dict[str, Any]]:
    """Return the models of the store in short."""
    return models_document(store.models())


def model(store: Store, name: str, at: str | None) -> dict[str, Any]:
    """Return a model as it is, or was at a time: its newest versions, and the newest of its changes until then."""
    found = whole = store.model(name)
    if at:
        moment = parse_moment(at)
        if moment is None:
            raise Refused(f"at is {at!r}: write 2026-03-03, or 2026-03-03T14:00")
        found = whole.at(as_time(moment))
    if not whole.history:
        whole["latest"]  # which says what is wrong
    document = model_document(found, most=MAX_SHOWN)
    return document | {
        "count": len(found),
        "changes": len(found.history),
        "history": [change_document(change) for change in found.history[-MAX_SHOWN:]],
    }


ENDPOINTS = [
    Endpoint("/api/models", "The models with names, as `runlore model --json`", models),
    Endpoint(
        "/api/model", "A model, as `runlore model NAME --json`", model,
        [
            Parameter("name", "text", "of the model", required=True),
            Parameter("at", "text", "a time: versions, aliases and history as they were then, of a day at its end"),
        ],
    ),
]  # fmt: skip
