// The tree of a lineage: from data over runs and checkpoints to files.

import { ask } from "./api.js";
import { fill, h, link, runLink } from "./dom.js";
import { short, size } from "./format.js";

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
  fill(
    node,
    h(
      "ul",
      { class: "tree" },
      roots.map((item) => branch(item.id, null)),
    ),
    graph.cut
      ? h("p", { class: "quiet" }, "There is more than is shown: ", h("code", {}, "runlore lineage --full"))
      : null,
  );
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
