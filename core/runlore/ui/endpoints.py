"""Endpoints: functions that answer over HTTP, their parameters checked, their answers JSON, described by OpenAPI."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runlore import __version__
from runlore.documents import plain
from runlore.errors import QueryError, RunloreError
from runlore.store.store import Store

MAX_STORES = 4  # that are open at once, each with a connection to the index
ANSWER_S = 20.0  # of the index, for one question to it
MAX_BODY_BYTES = 64 << 10  # of a change
MAX_EQUAL = 4  # texts of a list: each may cost a long column, and a chart shows one along several axes at most
MAX_SAFE_INTEGER = (1 << 53) - 1  # as JavaScript calls it: larger whole numbers are rounded there
T = TypeVar("T")
Kind = Literal["text", "texts", "whole", "number", "flag", "object"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an endpoint. For "texts" its name is repeated, once for each text."""

    name: str
    kind: Kind
    about: str
    default: Any = None
    required: bool = False
    least: float = 0
    most: float = math.inf
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A question (GET) or a change (POST, its parameters a JSON object).

    `answer` is called in a thread, with a store and the parameters by name; it returns a JSON document or a response.
    """

    path: str
    about: str
    answer: Callable[..., Any]
    parameters: Sequence[Parameter] = ()
    method: Literal["GET", "POST"] = "GET"

    @property
    def in_path(self) -> list[str]:
        """Names of the parameters in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


class Refused(RunloreError, ValueError):
    """A parameter has a value that can't be used; the answer has `facts` beside the message."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class Stores:
    """Lends each question a store of its own, as readers in several threads can't share one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._idle: list[Store] = []
        self._limiter = anyio.CapacityLimiter(MAX_STORES)

    async def ask(self, question: Callable[[Store], T]) -> T:
        """Answer a question in a thread; at most MAX_STORES are answered at a time."""
        return await anyio.to_thread.run_sync(self._answer, question, limiter=self._limiter)

    def _answer(self, question: Callable[[Store], T]) -> T:
        try:
            store = self._idle.pop()
        except IndexError:
            store = Store(self.root)
        try:
            if store.exists:
                store.index.answer_s = ANSWER_S
            return question(store)
        finally:
            self._idle.append(store)


def route(endpoint: Endpoint, stores: Stores) -> Route:
    """Make the route of an endpoint."""

    async def respond(request: Request) -> Response:
        try:
            values = await _values(endpoint, request)
            found = await stores.ask(partial(endpoint.answer, **values))
        except QueryError as error:
            where = {"query": error.query, "column": error.column}
            return JSONResponse({"error": {"message": error.reason, **where}}, 400)
        except (RunloreError, OSError) as error:
            facts = error.facts if isinstance(error, Refused) else {}
            return JSONResponse({"error": {"message": str(error), **facts}}, _status(error))
        return found if isinstance(found, Response) else Response(dump(found), media_type="application/json")

    return Route(endpoint.path, respond, methods=[endpoint.method])


def _status(error: Exception) -> int:
    """Return the HTTP status of an error: 404, 400, 409 for other errors of ours, 500 for the system's."""
    if isinstance(error, LookupError | FileNotFoundError):
        return 404
    return 400 if isinstance(error, ValueError) else 409 if isinstance(error, RunloreError) else 500


def dump(document: Any) -> bytes:
    """Encode a document as JSON; numbers that are not finite become texts."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def exact(value: Any) -> Any:
    """Return a whole number that a browser would round as a text, anything else as it is."""
    large = isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER
    return str(value) if large else value


def _finite(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {key: _finite(value) for key, value in item.items()}
    return [_finite(value) for value in item] if isinstance(item, list | tuple) else plain(item)


# Parameters


async def _values(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """Return the checked parameters of a request by name."""
    values: dict[str, Any] = {name: request.path_params[name] for name in endpoint.in_path}
    known = {parameter.name: parameter for parameter in endpoint.parameters}
    given: dict[str, Any]
    if endpoint.method == "GET":
        given = {name: request.query_params.getlist(name) for name in request.query_params}
    else:
        given = await _body(request)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise Refused(f"there is no parameter {unknown[0]!r} here: there are {', '.join(known) or 'none'}")
    for name, parameter in known.items():
        values[name] = _value(parameter, given[name]) if name in given else parameter.default
        if parameter.required and (name not in given or values[name] == []):
            raise Refused(f"{name} is missing: {parameter.about}")
    return values


async def _body(request: Request) -> dict[str, Any]:
    text = b""
    async for chunk in request.stream():
        text += chunk
        if len(text) > MAX_BODY_BYTES:
            raise Refused(f"a change has at most {MAX_BODY_BYTES:,} bytes")
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        raise Refused("a change is a JSON object") from None
    if not isinstance(found, dict):
        raise Refused("a change is a JSON object")
    return found


def _value(parameter: Parameter, given: Any) -> Any:
    if parameter.kind == "texts":
        texts = given if isinstance(given, list) else [given]
        if not all(isinstance(text, str) for text in texts):
            raise Refused(f"{parameter.name} has texts only: {parameter.about}")
        texts = [text for text in texts if text]
        for text, times in Counter(texts).items():
            if times > MAX_EQUAL:
                raise Refused(f"{parameter.name} names {text!r} {times} times, at most {MAX_EQUAL} are taken")
        if len(texts) > parameter.most:
            raise Refused(f"{parameter.name} names {len(texts)}, at most {parameter.most:g} are taken")
        for text in texts:
            _check_choice(parameter, text)
        return texts
    single = given[-1] if isinstance(given, list) and given else given
    if parameter.kind == "text":
        if not isinstance(single, str):
            raise Refused(f"{parameter.name} is no text: {parameter.about}")
        _check_choice(parameter, single)
        return single
    if parameter.kind == "object":
        if not isinstance(single, dict):
            raise Refused(f"{parameter.name} is no object: {parameter.about}")
        return single
    if parameter.kind == "flag":
        return single in ("1", "true", "yes", True)
    return _number(parameter, single)


def _check_choice(parameter: Parameter, text: str) -> None:
    if parameter.choices and text not in parameter.choices:
        raise Refused(f"{parameter.name} is {text!r}: it is one of {', '.join(parameter.choices)}")


def _number(parameter: Parameter, given: Any) -> float | int:
    try:
        value = int(given) if parameter.kind == "whole" else float(given)
    except (TypeError, ValueError):
        raise Refused(f"{parameter.name} is {given!r}: write a {parameter.kind} number") from None
    if not parameter.least <= value <= parameter.most:
        raise Refused(f"{parameter.name} is {given}: it is from {parameter.least:g} to {parameter.most:g}")
    return value


# OpenAPI


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Describe endpoints as an OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        operation: dict[str, Any] = {
            "summary": endpoint.about,
            "responses": {
                "200": {"description": "The answer"},
                "400": {"description": "A parameter or a query can't be understood"},
                "401": {"description": "The token is missing"},
                "404": {"description": "There is no such run or file"},
            },
        }
        places = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in endpoint.in_path
        ]
        if endpoint.method == "GET":
            places += [
                {"name": item.name, "in": "query", "required": item.required, "description": item.about,
                 "schema": _schema(item)}
                for item in endpoint.parameters
            ]  # fmt: skip
        else:
            properties = {item.name: {**_schema(item), "description": item.about} for item in endpoint.parameters}
            schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
            required = [item.name for item in endpoint.parameters if item.required]
            schema |= {"required": required} if required else {}
            operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
        if places:
            operation["parameters"] = places
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "runlore", "version": __version__}, "paths": paths}


def _schema(item: Parameter) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "whole": {"type": "integer", "minimum": item.least},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "object": {"type": "object"},
    }
    schema = kinds[item.kind]
    if item.kind == "whole" and math.isfinite(item.most):
        schema["maximum"] = item.most
    if item.kind == "texts" and math.isfinite(item.most):
        schema["maxItems"] = item.most
    if item.choices:
        (schema["items"] if item.kind == "texts" else schema)["enum"] = list(item.choices)
    return schema if item.default in (None, "") else {**schema, "default": item.default}
