"""`runlore lineage`: where a file or a run comes from, and what came of it."""

import sys
from collections.abc import Collection, Iterator

import click

from runlore._text import line_text
from runlore.cli.options import json_option, store_option
from runlore.cli.printing import echo, print_json
from runlore.documents import lineage_document
from runlore.provenance import lineage as _lineage
from runlore.provenance.lineage import Edge, Lineage, label_of
from runlore.store.store import open_store

MAX_INDENTED_STEPS = 8  # of a chain; deeper ones are not indented any further
MAX_LEAVES = 8  # nodes without successors, such as files, below one node; --full shows all
LINE_CHARS = 200  # of a node


@click.command()
@click.argument("target", metavar="RUN|FILE|HASH")
@click.option("--full", is_flag=True, help="Every file of every run.")
@json_option
@store_option
def lineage(target: str, full: bool, as_json: bool, store: str | None) -> None:
    """Show what a run, a file or a dataset comes from, and what came of it.

    Data, the run that read it, the checkpoint that it wrote, the run that went on from it, and so on, as a tree.
    """
    graph = _lineage.lineage(open_store(store), target)
    if as_json:
        print_json(lineage_document(graph))
    else:
        for line in _lines(graph, full):
            echo(line)
        if graph.cut:
            most = f"{_lineage.MAX_NODES} nodes and {_lineage.MAX_EDGES} edges"
            echo(f"There is more: only so much was looked at, at most {most}.", err=True)
    if not graph.edges:
        if not as_json:
            echo("Nothing is known of where it comes from.", err=True)
        if graph.nodes[graph.root].kind != "run":
            sys.exit(1)


def _lines(graph: Lineage, full: bool) -> Iterator[str]:
    """Yield the lines of a graph. Sources with the same successors, such as data and labels, share one tree."""
    together: dict[tuple[str, ...], list[str]] = {}  # sources by their successors
    for source in graph.sources():
        ends = tuple(edge.end for edge in graph.after(source.id))
        together.setdefault(ends or (source.id,), []).append(source.id)
    beside = {node_id for ids in together.values() for node_id in ids[:-1]}  # the tree is below the last of them
    tree = _Tree(graph, beside, full)
    for ids in together.values():
        yield from (tree.line(node_id) for node_id in ids[:-1])
        yield tree.line(ids[-1])
        yield from tree.below(ids[-1], "")


class _Tree:
    """Prints the nodes below a source; one with several origins is shown in full at the end of the longest chain."""

    def __init__(self, graph: Lineage, beside: Collection[str], full: bool) -> None:
        self._graph = graph
        self._full = full
        depths = graph.depths()
        self._homes: dict[str, Edge] = {}  # the edge by which a node is shown in full
        for edge in (edge for edge in graph.edges if edge.start not in beside):
            if edge.end not in self._homes or depths[edge.start] > depths[self._homes[edge.end].start]:
                self._homes[edge.end] = edge

    def line(self, node_id: str, remark: str = "") -> str:
        """Return the line of a node, marked if it is the one that was asked for."""
        mark = "   ◀" if node_id == self._graph.root else ""
        return line_text(label_of(self._graph.nodes[node_id]), LINE_CHARS) + remark + mark

    def below(self, node_id: str, indent: str) -> Iterator[str]:
        """Yield the lines below a node. The depth is not limited by recursion."""
        open_nodes = [self._children(node_id, indent, 0)]
        while open_nodes:
            line, child = next(open_nodes[-1], (None, None))
            if line is None:
                open_nodes.pop()
                continue
            yield line
            if child is not None:
                open_nodes.append(self._children(child[0], child[1], len(open_nodes)))

    def _children(self, node_id: str, indent: str, depth: int) -> "Iterator[tuple[str, tuple[str, str] | None]]":
        """Yield a line for each successor, and the id and the indent to go on with where its own tree follows."""
        edges = self._graph.after(node_id)
        leaves = [edge for edge in edges if not self._graph.after(edge.end) and edge.end != self._graph.root]
        hidden = frozenset(() if self._full else leaves[MAX_LEAVES:])
        visible = [edge for edge in edges if edge not in hidden]
        straight = depth >= MAX_INDENTED_STEPS and len(edges) == 1
        for edge in visible:
            last = edge is visible[-1] and not hidden
            home = self._homes[edge.end] is edge
            aside = "" if home or not self._graph.after(edge.end) else "  (see its other line)"
            sign = "└─ " if last else "├─ "
            line = f"{indent}{sign}{self.line(edge.end, _how(edge) + aside)}"
            yield line, ((edge.end, indent + ("" if straight else "   " if last else "│  ")) if home else None)
        if hidden:
            yield f"{indent}└─ … and {len(hidden)} more (--full shows all)", None


def _how(edge: Edge) -> str:
    """Describe an edge: its relation where the tree doesn't show it, and the step."""
    told = [] if edge.relation in ("read", "wrote") else [edge.relation.replace("_", " ")]
    told += [f"at step {edge.step}"] if edge.step is not None else []
    return f"  {' '.join(told)}" if told else ""
