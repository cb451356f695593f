"""Where a file or a run comes from and what came of it: data → run → checkpoint → run → file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runlore._text import size_text
from runlore.errors import AmbiguousRun, RunNotFound, StoreNotFound
from runlore.index.contents import NO_MODELS, find_readers, find_same_weights, find_writers
from runlore.index.links import find_links
from runlore.provenance.origins import Content, FileOrHashNotFound, content_of, readers_of, same_contents

if TYPE_CHECKING:
    from runlore.artifacts.artifact import Artifact
    from runlore.store.runs import RecordedRun
    from runlore.store.store import Store


MOST = 1000  # nodes; what lies beyond them is left out, and the graph says so
SAME_WEIGHTS = "same weights"
FAMILY = "child"


@dataclass(frozen=True, slots=True)
class Node:
    """A dataset, a run, or a file. `id` is a run's id, or the sha256 of a content (before "data:" of a dataset)."""

    id: str
    kind: Literal["data", "run", "file"]
    name: str
    facts: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """From what was there before to what came of it; `relation` is "read", "wrote", or the kind of a link."""

    start: str
    end: str
    relation: str
    step: int | None = None


@dataclass(slots=True)
class Lineage:
    """A graph without cycles around the node that was asked for."""

    root: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    cut: bool = False  # whether there is more than was looked at
    _after: dict[str, list[Edge]] = field(default_factory=dict)

    def join(self, edge: Edge) -> None:
        """Add an edge, unless it is there or would close a circle."""
        if edge not in self.after(edge.start) and not self.leads(edge.end, edge.start):
            self.edges.append(edge)
            self._after.setdefault(edge.start, []).append(edge)

    def sources(self) -> list[Node]:
        """The nodes that come from nothing known, as they were found."""
        ends = {edge.end for edge in self.edges}
        return [node for node in self.nodes.values() if node.id not in ends]

    def after(self, node_id: str) -> list[Edge]:
        """What came of a node."""
        return self._after.get(node_id, [])

    def leads(self, start: str, end: str) -> bool:
        """Whether one node came of another, or is the same."""
        waiting, seen = [start], set()
        while waiting:
            here = waiting.pop()
            if here == end:
                return True
            if here not in seen:
                seen.add(here)
                waiting += [edge.end for edge in self.after(here)]
        return False

    def depths(self) -> dict[str, int]:
        """For each node the most steps that lead to it from a source."""
        found = dict.fromkeys(self.nodes, 0)
        for _ in self.nodes:
            further = {edge.end: found[edge.start] + 1 for edge in self.edges if found[edge.start] >= found[edge.end]}
            if not further:
                break
            found |= further
        return found


def lineage(store: "Store", target: "str | os.PathLike[str] | Content | RecordedRun") -> Lineage:
    """All that a run, a file, a folder, or the content with a hash comes from, and all that came of it.

    Raises:
        RunNotFound, FileOrHashNotFound: `target` is none of them.
        StoreNotFound: there is no store yet.
    """
    if not store.exists:
        raise StoreNotFound(f"no store at {str(store.root)!r}")
    return _Search(store).around(target)


class _Search:
    """Walks up to what was there before, then down; runs are read once."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._runs: dict[str, RecordedRun | None] = {}
        self._graph = Lineage("")
        self._seen: set[tuple[str, bool]] = set()

    def around(self, target: "str | os.PathLike[str] | Content | RecordedRun") -> Lineage:
        run, content = _found(self._store, target)
        if run is not None:
            self._graph.root = self._run_node(run)
            self._walk(self._graph.root)
            return self._graph
        contents = same_contents(self._store, content)
        known = [(node, sha256, match) for sha256, match in contents for node in self._content_nodes(sha256)]
        whole = [node for node, sha256, match in known if match == "sha256" and sha256.startswith(content.sha256)]
        if whole:
            self._graph.root = whole[0]
        else:
            name = content.path.name if content.path else content.sha256[:12]
            self._graph.root = self._add(Node(content.sha256, "file", name))
        for node, _, match in known:
            if node not in whole:
                self._join(node, self._graph.root, SAME_WEIGHTS if match == "weights" else "part of")
        for node in [node for node, _, _ in known] or [self._graph.root]:
            self._walk(node)
        return self._graph

    def _walk(self, node: str) -> None:
        for upwards in (True, False):
            waiting = [node]
            while waiting:
                here = waiting.pop(0)
                if (here, upwards) in self._seen:
                    continue
                if len(self._graph.nodes) > MOST:
                    self._graph.cut = True
                    return
                self._seen.add((here, upwards))
                waiting += list(self._before(here) if upwards else self._after(here))

    # Up

    def _before(self, node_id: str) -> Iterator[str]:
        node = self._graph.nodes[node_id]
        if node.kind == "run":
            run = self._run(node_id)
            if run is not None:
                yield from self._read_by(run)
            return
        for run_id, position in self._store.ask(find_writers, node_id.removeprefix("data:")):
            run = self._run(run_id)
            if run is not None and position < len(run.artifacts):
                yield self._join(self._run_node(run), node_id, "wrote", run.artifacts[position].step)
        if node.kind == "file":
            for sha256 in self._store.ask(find_same_weights, node_id):
                for other in self._content_nodes(sha256):
                    if self._age(other) < self._age(node_id):
                        yield self._join(other, node_id, SAME_WEIGHTS)

    def _read_by(self, run: "RecordedRun") -> Iterator[str]:
        for name, facts in run.data.items():
            if facts.get("fingerprint"):
                yield self._join(self._read_node(name, facts), run.id, "read")
        for link in run.links:
            origin = self._run(str(link["run"]))
            if origin is None:
                continue
            step = link.get("step")
            item = _linked(origin, link.get("sha256"), step)
            before = self._run_node(origin) if item is None else self._file_node(item)
            yield self._join(before, run.id, str(link["kind"]), step)

    # Down

    def _after(self, node_id: str) -> Iterator[str]:
        node = self._graph.nodes[node_id]
        if node.kind == "run":
            run = self._run(node_id)
            if run is not None:
                yield from self._made_by(run)
            return
        for run_id in self._store.ask(find_readers, node_id.removeprefix("data:")):
            reader = self._run(run_id)
            if reader is not None:
                yield self._join(node_id, self._run_node(reader), "read")
        for run_id, position in self._store.ask(find_writers, node_id):
            run = self._run(run_id)
            if run is not None and position < len(run.artifacts):
                for reader, kind, step in readers_of(self._store, run, run.artifacts[position]):
                    yield self._join(node_id, self._run_node(reader), kind, step)
        for sha256 in self._store.ask(find_same_weights, node_id):
            for other in self._content_nodes(sha256):
                if self._age(other) > self._age(node_id):
                    yield self._join(node_id, other, SAME_WEIGHTS)

    def _made_by(self, run: "RecordedRun") -> Iterator[str]:
        for item in run.artifacts:
            if item.sha256 is not None and item.kind not in NO_MODELS:
                yield self._join(run.id, self._file_node(item), "wrote", item.step)
        for reader_id, kind, step, sha256 in self._store.ask(find_links, run.id):
            reader = self._run(reader_id)
            if reader is not None and _linked(run, sha256, step) is None:
                yield self._join(run.id, self._run_node(reader), kind, step)

    # Nodes and edges

    def _add(self, node: Node) -> str:
        self._graph.nodes.setdefault(node.id, node)
        return node.id

    def _join(self, start: str, end: str, relation: str, step: int | None = None) -> str:
        """An edge; the end of it that was not there before, to go on from."""
        self._graph.join(Edge(start, end, relation, step))
        return start if (end, True) in self._seen and (end, False) not in self._seen else end

    def _run_node(self, run: "RecordedRun") -> str:
        facts = {"status": run.status, "started": run.started, "parent": run.parent_id}
        return self._add(Node(run.id, "run", run.name, facts))

    def _file_node(self, item: "Artifact") -> str:
        facts = {"type": item.kind, "size": item.size, "step": item.step, "roles": list(item.roles)}
        return self._add(Node(str(item.sha256), "file", item.name, facts))

    def _data_node(self, name: str, facts: dict[str, Any]) -> str:
        told = {key: facts[key] for key in ("shape", "rows") if facts.get(key) is not None}
        told["type"] = facts.get("kind")
        return self._add(Node(f"data:{facts['fingerprint']}", "data", name, told))

    def _read_node(self, name: str, facts: dict[str, Any]) -> str:
        """What a run read: the file, if some run wrote it, else a dataset."""
        return self._written_node(str(facts["fingerprint"])) or self._data_node(name, facts)

    def _written_node(self, sha256: str) -> str | None:
        """The file with a content that some run wrote; the folder, if it is a part of one."""
        for run_id, position in self._store.ask(find_writers, sha256)[:1]:
            run = self._run(run_id)
            if run is not None and position < len(run.artifacts):
                return self._file_node(run.artifacts[position])
        return None

    def _content_nodes(self, sha256: str) -> list[str]:
        """The file with a content, else the dataset: what one run wrote and another read is one thing."""
        written = self._written_node(sha256)
        if written is not None:
            return [written]
        found = []
        for run_id in self._store.ask(find_readers, sha256)[:1]:
            run = self._run(run_id)
            for name, facts in run.data.items() if run is not None else ():
                if str(facts.get("fingerprint")).startswith(sha256):
                    found.append(self._data_node(name, facts))
        return found

    # Questions to the store

    def _run(self, run_id: str) -> "RecordedRun | None":
        if run_id not in self._runs:
            try:
                self._runs[run_id] = self._store.run(run_id)
            except (RunNotFound, AmbiguousRun):
                self._runs[run_id] = None
        return self._runs[run_id]

    def _age(self, sha256: str) -> tuple[str, int]:
        """What is smaller for what was written earlier."""
        return next(iter(self._store.ask(find_writers, sha256)), ("", 0))


def _found(
    store: "Store", target: "str | os.PathLike[str] | Content | RecordedRun"
) -> "tuple[RecordedRun | None, Content]":
    """The run that is meant, else the content."""
    from runlore.store.runs import RecordedRun

    nothing = Content("", None)
    if isinstance(target, Content):
        return None, target
    if isinstance(target, RecordedRun):
        return target, nothing
    if not Path(target).exists():
        try:
            return store.run(os.fspath(target)), nothing
        except RunNotFound as error:
            try:
                return None, content_of(target)
            except FileOrHashNotFound:
                raise error from None
    return None, content_of(target)


def _linked(origin: "RecordedRun", sha256: str | None, step: int | None) -> "Artifact | None":
    """The artifact of a run that another went on from, as far as the link tells."""
    wanted = step if sha256 is None else sha256
    known = [item for item in origin.artifacts if item.sha256 is not None and item.kind not in NO_MODELS]
    found = (item for item in known if (item.step if sha256 is None else item.sha256) == wanted)
    return next(found, None) if wanted is not None else None


def label_of(node: Node) -> str:
    """What a node is, in a line."""
    facts = node.facts
    if node.kind == "run":
        return f"run {node.name} ({node.id[-6:]}, {facts['status']})"
    if node.kind == "data":
        extent = " × ".join(map(str, facts.get("shape") or ()))
        return f"data {node.name} ({', '.join(filter(None, (extent, node.id.removeprefix('data:')[:12])))})"
    told = [size_text(facts["size"]) if facts.get("size") is not None else "", *facts.get("roles", ()), node.id[:12]]
    return f"{facts.get('type', 'file')} {node.name} ({', '.join(filter(None, told))})"
