"""The segments of a run: the params that each was given, and the step from which on."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from runlore.hookspecs import SYSTEM_PREFIX
from runlore.log.reader import Content
from runlore.log.record import OWN_MODES, Segment
from runlore.log.values import listed_value, text_of


class ParamChange(NamedTuple):
    """A param that a later segment was given another value for; `before` is None where it had none."""

    before: Any
    after: Any


def with_params(segments: Sequence[Segment], contents: Sequence[Content]) -> tuple[Segment, ...]:
    """Return the segments of a run with their params, and with the step that each goes on from."""
    found: list[Segment] = []
    params: dict[str, Any] = {}
    last: int | None = None
    for content in contents:
        if content.opening.get("mode", "start") in OWN_MODES and len(found) < len(segments):
            segment = segments[len(found)]
            if segment.cut is not None and found:
                last = segment.cut if last is None else min(last, segment.cut)
            params = dict(params)
            found.append(Segment(*segment[:-2], params, last if found else segment.cut))
        for event in content.events:
            values = event.get("values")
            if event["type"] == "params" and isinstance(values, Mapping):
                params.update((key, listed_value(value)) for key, value in values.items())
        steps = [tally.last_step for key, tally in content.tallies.items() if not key.startswith(SYSTEM_PREFIX)]
        last = max((step for step in (last, *steps) if step is not None), default=None)
    return tuple(found)


def changed_params(before: Segment, segment: Segment) -> dict[str, ParamChange]:
    """Return the params that a segment was given another value for than the one before it, by key.

    One that goes on from step 0 has no new params: nothing was trained before, only evaluated.
    """
    old = before.params
    return {
        key: ParamChange(old.get(key), value)
        for key, value in segment.params.items()
        if (segment.from_step != 0 if key not in old else not _is_same(old[key], value))
    }


def histories(segments: Sequence[Segment]) -> dict[str, str]:
    """Return how the params changed that a later segment has changed, by key: "0.1 → 0.01 from step 10 on"."""
    found: dict[str, str] = {}
    for before, segment in pairwise(segments):
        for key, change in changed_params(before, segment).items():
            begin = found.get(key, "–" if key not in before.params else text_of(change.before))
            found[key] = f"{begin} → {text_of(change.after)}{since(segment)}"
    return found


def since(segment: Segment) -> str:
    """Return from which step on a segment goes, as the end of a phrase."""
    return "" if segment.from_step is None else f" from step {segment.from_step} on"


def _is_same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)  # noqa: PLR0124  # only NaN differs from itself
