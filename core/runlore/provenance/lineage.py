"""Lineage of a file or a run: back to its sources, and on to what was made of it (data → run → checkpoint → …)."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runlore._text import size_text
from runlore.artifacts.artifact import Artifact
from runlore.errors import RunNotFound, StoreNotFound
from runlore.index.contents import NO_MODELS, find_links, find_readers, find_same_weights, find_writers
from runlore.index.index import one_state
from runlore.provenance.origins import (
    MAX_ASKED,
    FileOrHashNotFound,
    Target,
    find_known,
    readers_of,
    settle,
    target_of,
)
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

MAX_NODES = 1000  # of a graph; others are left out, and the graph says so
MAX_EDGES = 3000  # likewise
SAME_WEIGHTS = "same weights"


@dataclass(frozen=True, slots=True)
class Node:
    """A dataset, a run, or a file. `id` is a run's id, or the sha256 of a content (before it "data:" of a dataset)."""

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
    """A graph without cycles around the node `root`. `cut`: it may not hold all that there is."""

    root: str = ""
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    cut: bool = False
    _after: dict[str, list[Edge]] = field(default_factory=dict)
    _known: set[Edge] = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        """True if no walk should go on."""
        return len(self.nodes) > MAX_NODES or len(self.edges) >= MAX_EDGES

    def add(self, node: Node) -> str:
        """Add a node, unless it is there; return its id."""
        self.nodes.setdefault(node.id, node)
        return node.id

    def join(self, edge: Edge) -> bool:
        """Add an edge unless it would close a cycle; return True if it is there now."""
        if edge in self._known:
            return True
        if self.leads(edge.end, edge.start):
            return False
        self._known.add(edge)
        self.edges.append(edge)
        self._after.setdefault(edge.start, []).append(edge)
        return True

    def sources(self) -> list[Node]:
        """Return the nodes that come from nothing known, in the order they were found."""
        ends = {edge.end for edge in self.edges}
        return [node for node in self.nodes.values() if node.id not in ends]

    def after(self, node_id: str) -> list[Edge]:
        """Return the edges to what came of a node."""
        return self._after.get(node_id, [])

    def leads(self, start: str, end: str) -> bool:
        """Return True if edges lead from one node to another, or both are the same."""
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
        """Return for each node the number of edges on the longest way to it from a source."""
        found = dict.fromkeys(self.nodes, 0)
        for _ in self.nodes:
            further = {edge.end: found[edge.start] + 1 for edge in self.edges if found[edge.start] >= found[edge.end]}
            if not further:
                break
            found |= further
        return found


def lineage(store: Store, target: str | os.PathLike[str] | Target | RecordedRun) -> Lineage:
    """Return all that a run, a file, a folder, or the content with a hash comes from, and all that came of it.

    Raises:
        RunNotFound, FileOrHashNotFound: `target` is none of them.
        StoreNotFound: there is no store yet.
    """
    if not store.exists:
        raise StoreNotFound(f"no store at {str(store.root)!r}")
    graph = Lineage()
    records = _Records(store, graph)
    before = _Walk(graph, records.edges_before, lambda edge: edge.start)
    after = _Walk(graph, records.edges_after, lambda edge: edge.end)
    begins = _begin(store, graph, records, target)
    with one_state(store.index):
        for node in begins:
            before.start_at(node)
            after.start_at(node)
    return graph


def _begin(
    store: Store, graph: Lineage, records: "_Records", target: str | os.PathLike[str] | Target | RecordedRun
) -> list[str]:
    """Add the root of a graph, and the contents that it is known by; return the nodes to walk from."""
    found = _find(store, target)
    if isinstance(found, RecordedRun):
        graph.root = records.add_run(found)
        return [graph.root]
    contents = find_known(store, found, settle(store, found))
    known = [(node, sha256, match) for sha256, match in contents for node in records.add_content(sha256)]
    whole = [node for node, sha256, match in known if match == "sha256" and sha256.startswith(found.sha256)]
    if whole:
        graph.root = whole[0]
    else:
        name = found.path.name if found.path else found.sha256[:12]
        graph.root = graph.add(Node(found.sha256, "file", name))
    for node, _, match in known:
        if node not in whole:
            graph.join(Edge(node, graph.root, SAME_WEIGHTS if match == "weights" else "part of"))
    return [node for node, _, _ in known] or [graph.root]


class _Walk:
    """Walks along edges in one direction, nearest nodes first, and adds them to a graph; visits no node twice."""

    def __init__(
        self, graph: Lineage, edges_of: Callable[[str], Iterator[Edge]], far_end: Callable[[Edge], str]
    ) -> None:
        self._graph = graph
        self._edges_of = edges_of
        self._far_end = far_end
        self._seen: set[str] = set()

    def start_at(self, node_id: str) -> None:
        """Visit a node and all that can be reached from it, until the graph is full."""
        waiting = deque([node_id])
        while waiting:
            here = waiting.popleft()
            if here in self._seen:
                continue
            self._seen.add(here)
            for edge in self._edges_of(here):
                if self._graph.is_full:
                    self._graph.cut = True
                    return
                if self._graph.join(edge):
                    waiting.append(self._far_end(edge))


class _Records:
    """Adds the nodes that a store's records tell of to a graph, and finds the edges between them."""

    def __init__(self, store: Store, graph: Lineage) -> None:
        self._store = store
        self._graph = graph
        self._runs: dict[str, RecordedRun | None] = {}
        self._artifacts: dict[str, list[Artifact]] = {}  # by run
        self._models: dict[str, dict[str | int | None, Artifact]] = {}  # by run, and by hash and step

    # Nodes

    def add_run(self, run: RecordedRun) -> str:
        """Add a run."""
        facts = {"status": run.status, "started": run.started, "parent": run.parent_id}
        return self._graph.add(Node(run.id, "run", run.name, facts))

    def add_content(self, sha256: str) -> list[str]:
        """Add the file with a content, else the datasets: what one run wrote and another read is one thing."""
        written = self._add_written(sha256)
        if written is not None:
            return [written]
        run = next(self._known_runs(self._store.ask(find_readers, sha256)), None)
        facts = run.data if run is not None else {}
        return [
            self._add_data(name, item)
            for name, item in facts.items()
            if str(item.get("fingerprint")).startswith(sha256)
        ]

    def _add_file(self, item: Artifact) -> str:
        facts = {"type": item.kind, "size": item.size, "step": item.step, "roles": list(item.roles)}
        return self._graph.add(Node(str(item.sha256), "file", item.name, facts))

    def _add_data(self, name: str, facts: dict[str, Any]) -> str:
        told = {key: facts[key] for key in ("shape", "rows") if facts.get(key) is not None}
        told["type"] = facts.get("kind")
        return self._graph.add(Node(f"data:{facts['fingerprint']}", "data", name, told))

    def _add_written(self, sha256: str) -> str | None:
        """Add the file with a content that some run wrote; the folder, if it is a part of one."""
        _, item = next(self._writers_of(sha256), (None, None))
        return None if item is None else self._add_file(item)

    # Edges

    def edges_before(self, node_id: str) -> Iterator[Edge]:
        """Yield the edges that lead to a node."""
        node = self._graph.nodes[node_id]
        if node.kind == "run":
            for run in self._known_runs([node_id]):
                yield from self._edges_to_run(run)
            return
        for run, item in self._writers_of(node_id.removeprefix("data:")):
            yield Edge(self.add_run(run), node_id, "wrote", item.step)
        if node.kind == "file":
            for other in self._same_weights(node_id):
                if self._age(other) < self._age(node_id):
                    yield Edge(other, node_id, SAME_WEIGHTS)

    def edges_after(self, node_id: str) -> Iterator[Edge]:
        """Yield the edges that lead away from a node."""
        node = self._graph.nodes[node_id]
        if node.kind == "run":
            for run in self._known_runs([node_id]):
                yield from self._edges_from_run(run)
            return
        for run in self._known_runs(self._store.ask(find_readers, node_id.removeprefix("data:"))):
            yield Edge(node_id, self.add_run(run), "read")
        for run, item in self._ways_to(node_id):
            for reader, kind, step in readers_of(self._store, run, item):
                yield Edge(node_id, self.add_run(reader), kind, step)
        for other in self._same_weights(node_id):
            if self._age(other) > self._age(node_id):
                yield Edge(node_id, other, SAME_WEIGHTS)

    def _edges_to_run(self, run: RecordedRun) -> Iterator[Edge]:
        """Yield the edges from the data that a run read, and from what its links name."""
        for name, facts in run.data.items():
            if facts.get("fingerprint"):
                yield Edge(self._add_written(str(facts["fingerprint"])) or self._add_data(name, facts), run.id, "read")
        origins = {origin.id: origin for origin in self._known_runs([str(link["run"]) for link in run.links])}
        for link in run.links:
            origin = origins.get(str(link["run"]))
            if origin is not None:
                step = link.get("step")
                item = self._linked(origin, link.get("sha256"), step)
                before = self.add_run(origin) if item is None else self._add_file(item)
                yield Edge(before, run.id, str(link["kind"]), step)

    def _edges_from_run(self, run: RecordedRun) -> Iterator[Edge]:
        """Yield the edges to the files that a run wrote, and to the runs whose links name no file of it."""
        for item in self._artifacts_of(run):
            if item.sha256 is not None and item.kind not in NO_MODELS:
                yield Edge(run.id, self._add_file(item), "wrote", item.step)
        links = [
            item for item in self._store.ask(find_links, run.id) if self._linked(run, item.sha256, item.step) is None
        ]
        readers = {reader.id: reader for reader in self._known_runs([link.run for link in links])}
        for link in links:
            if link.run in readers:
                yield Edge(run.id, self.add_run(readers[link.run]), link.kind, link.step)

    def _same_weights(self, sha256: str) -> Iterator[str]:
        """Yield the nodes of other contents with the same weights."""
        for other in self._store.ask(find_same_weights, sha256):
            yield from self.add_content(other)

    # Records

    def _known_runs(self, run_ids: list[str]) -> Iterator[RecordedRun]:
        """Yield the runs with some ids, each read once; those that the store lacks are left out."""
        new = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in self._runs]
        self._runs |= {**dict.fromkeys(new), **{run.id: run for run in self._store.known(new)}}
        for run_id in run_ids:
            run = self._runs[run_id]
            if run is not None:
                yield run

    def _writers_of(self, sha256: str) -> Iterator[tuple[RecordedRun, Artifact]]:
        """Yield the runs that wrote a content, the oldest first, each with the artifact."""
        found = self._store.ask(find_writers, sha256)
        list(self._known_runs([run_id for run_id, _ in found]))  # all at once
        for run_id, position in found:
            for run in self._known_runs([run_id]):
                artifacts = self._artifacts_of(run)
                if position < len(artifacts):
                    yield run, artifacts[position]

    def _ways_to(self, sha256: str) -> list[tuple[RecordedRun, Artifact]]:
        """Return the first writers of a content, each step of a run once."""
        found: dict[tuple[str, int | None, str | None], tuple[RecordedRun, Artifact]] = {}
        for run, item in self._writers_of(sha256):
            if len(found) >= MAX_ASKED:
                self._graph.cut = True
                break
            found.setdefault((run.id, item.step, item.sha256), (run, item))
        return list(found.values())

    def _artifacts_of(self, run: RecordedRun) -> list[Artifact]:
        """Return the artifacts of a run, which are read once."""
        if run.id not in self._artifacts:
            self._artifacts[run.id] = run.artifacts
        return self._artifacts[run.id]

    def _linked(self, origin: RecordedRun, sha256: str | None, step: int | None) -> Artifact | None:
        """Return the artifact of a run that another went on from, as far as the link tells."""
        if origin.id not in self._models:
            known = [item for item in self._artifacts_of(origin) if item.sha256 is not None]
            models = [item for item in reversed(known) if item.kind not in NO_MODELS]  # of equal ones the first counts
            found: dict[str | int | None, Artifact] = {item.step: item for item in models}
            self._models[origin.id] = found | {item.sha256: item for item in models}
        wanted = step if sha256 is None else sha256
        return None if wanted is None else self._models[origin.id].get(wanted)

    def _age(self, sha256: str) -> tuple[str, int]:
        """Return a key that is smaller for what was written earlier."""
        return next(iter(self._store.ask(find_writers, sha256)), ("", 0))


def _find(store: Store, target: str | os.PathLike[str] | Target | RecordedRun) -> RecordedRun | Target:
    """Return the run that is meant, else the content."""
    if isinstance(target, Target | RecordedRun):
        return target
    if Path(target).exists():
        return target_of(target)
    try:
        return store.run(os.fspath(target))
    except RunNotFound as error:
        try:
            return target_of(target)
        except FileOrHashNotFound:
            raise error from None


def label_of(node: Node) -> str:
    """Return a line that describes a node."""
    facts = node.facts
    if node.kind == "run":
        return f"run {node.name} ({node.id[-6:]}, {facts['status']})"
    if node.kind == "data":
        shape = facts.get("shape") or ()
        extent = " × ".join(map(str, shape)) if isinstance(shape, list | tuple) else str(shape)
        return f"data {node.name} ({', '.join(filter(None, (extent, node.id.removeprefix('data:')[:12])))})"
    told = [size_text(facts["size"]) if facts.get("size") is not None else "", *facts.get("roles", ()), node.id[:12]]
    return f"{facts.get('type', 'file')} {node.name} ({', '.join(filter(None, told))})"
