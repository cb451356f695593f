// A lineage, from data over runs and checkpoints to files: its graph, and the same as a list.

import { ask } from "./api.js";
import { outer } from "./base.js";
import { headed } from "./download.js";
import { fill, h, link, runLink } from "./dom.js";
import { count, short, size } from "./format.js";
import { lineageGraph } from "./graph.js";

export async function lineageTree(node, target) {
  fill(node, h("p", { class: "quiet" }, "Looking …"));
  let graph;
  try {
    graph = await ask("/api/lineage", { target });
  } catch (error) {
    fill(node, h("p", { class: "quiet" }, error.message));
    return;
  }
  const nodes = new Map(graph.nodes.map((item) => [item.id, item]));
  const after = new Map();
  for (const edge of graph.edges) after.set(edge.from, [...(after.get(edge.from) ?? []), edge]);
  const ends = new Set(graph.edges.map((edge) => edge.to));
  const drawn = new Set();

  function branch(id, edge) {
    const item = nodes.get(id);
    const how = edge
      ? h(
          "span",
          { class: "quiet" },
          `${edge.relation}${edge.step === null || edge.step === undefined ? "" : ` at step ${edge.step}`} → `,
        )
      : null;
    const label = h("span", { class: id === graph.root ? "here" : "" }, name(item));
    if (drawn.has(id))
      return h(
        "li",
        {},
        how,
        label,
        (after.get(id) ?? []).length ? h("span", { class: "quiet" }, " (see above)") : null,
      );
    drawn.add(id);
    const below = (after.get(id) ?? []).map((next) => branch(next.to, next));
    return h("li", {}, how, label, below.length ? h("ul", {}, below) : null);
  }

  const roots = graph.nodes.filter((item) => !ends.has(item.id));
  const tree = h(
    "ul",
    { class: "tree" },
    roots.map((item) => branch(item.id, null)),
  );
  const more = graph.cut
    ? h("p", { class: "quiet" }, "There is more than is shown: ", h("code", {}, "runlore lineage --full"))
    : null;
  if (!graph.edges.length) return void fill(node, tree, more);
  const picture = lineageGraph(graph, boxed);
  const near = `The ${picture.drawn} nearest of ${count(graph.nodes.length, "thing")} are drawn; the list has all.`;
  const part = picture.drawn < graph.nodes.length ? h("p", { class: "quiet" }, near) : null;
  const head = headed("What it comes from, and what came of it", "lineage", () => keptEdges(graph.edges, nodes), picture.sheet);
  fill(node, head, picture.node, part, more, h("details", {}, h("summary", {}, "As a list"), tree));
  picture.centre();
}

/** The lines of the graph as rows of a file. */
function keptEdges(edges, nodes) {
  const end = (id) => [nodes.get(id).kind, nodes.get(id).name, id];
  const ends = ["from", "to"].map((side) => [side, `${side} name`, `${side} id`]);
  return [[...ends[0], "relation", "step", ...ends[1]], ...edges.map((edge) => [...end(edge.from), edge.relation, edge.step, ...end(edge.to)])];
}

/** What a box of the graph shows, and where it leads. */
function boxed(item) {
  const to = (address) => ({ href: outer(address), "data-inside": address });
  if (item.kind === "run")
    return {
      kind: "run",
      name: item.name || item.id,
      about: `run ${short(item.id)}, ${item.status}`,
      address: to(`/run/${encodeURIComponent(item.id)}`),
    };
  if (item.kind === "data")
    return { kind: "data", name: item.name, about: `data ${(item.shape ?? []).join(" × ")}`, address: null };
  const facts = [
    item.type ?? "file",
    item.size === undefined || item.size === null ? "" : size(item.size),
    (item.roles ?? []).join(", "),
  ];
  return {
    kind: "file",
    name: item.name,
    about: facts.filter(Boolean).join(" "),
    address: to(`/find?sha256=${item.id}`),
  };
}

function name(item) {
  if (item.kind === "run")
    return ["run ", runLink(item.id, item.name), h("span", { class: "quiet" }, ` ${short(item.id)}, ${item.status}`)];
  if (item.kind === "data")
    return [
      `data ${item.name}`,
      h("span", { class: "quiet" }, ` ${(item.shape ?? []).join(" × ")} ${item.id.replace("data:", "").slice(0, 12)}`),
    ];
  return [
    `${item.type ?? "file"} `,
    link(`/find?sha256=${item.id}`, item.name),
    h(
      "span",
      { class: "quiet" },
      ` ${item.size === undefined || item.size === null ? "" : size(item.size)} ${(item.roles ?? []).join(", ")} ${item.id.slice(0, 12)}`,
    ),
  ];
}
