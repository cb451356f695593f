// The graph of a lineage, from left to right: boxes that are links, with lines between them.

import { h } from "./dom.js";
import { layered } from "./layers.js";

const MOST = 150; // boxes that are drawn, the nearest to the one in question
const WIDTH = 190; // pixels of a box
const HEIGHT = 42;
const GAP = 84; // between columns
const ROW = 56;
const MARGIN = 12;
const LABELLED = 40; // edges up to which each says more than its direction does
const PLAIN = ["read", "wrote"]; // relations that the direction tells

/** A graph of {root, nodes, edges}; `box(node)` makes the content of a node's box: {lines, address}. */
export function lineageGraph({ root, nodes, edges }, box) {
  const ids = nearest(root, nodes, edges);
  const shown = new Set(ids);
  const joined = together(edges.filter((edge) => shown.has(edge.from) && shown.has(edge.to)));
  const { items, ways, columns, rows } = layered(ids, joined);
  const known = new Map(nodes.map((node) => [node.id, node]));
  const width = columns * (WIDTH + GAP) - GAP + 2 * MARGIN;
  const height = (rows - 1) * ROW + HEIGHT + 2 * MARGIN;
  items.sort((one, other) => one.column - other.column || one.row - other.row); // as Tab goes through them
  const boxes = items.map((item) => boxOf(known.get(item.id), item, item.id === root, box));
  const size = `width:${width}px;height:${height}px`;
  const sheet = h("div", { class: "sheet-of-graph", style: size }, lines(ways, width, height), boxes);
  const label = "Lineage as a graph, from what was there first to what came of it";
  const node = h("div", { class: "graph", tabindex: 0, role: "region", "aria-label": label }, sheet);
  return { node, sheet, drawn: ids.length, centre: () => centre(node) };
}

/** Scroll so that the box in question is in sight. */
function centre(node) {
  const box = node.querySelector("[aria-current]");
  if (!box) return;
  node.scrollLeft = box.offsetLeft - (node.clientWidth - box.offsetWidth) / 2;
  node.scrollTop = box.offsetTop - (node.clientHeight - box.offsetHeight) / 2;
}

/** The ids of the nodes that are nearest to one, whichever way the edges lead. */
function nearest(root, nodes, edges) {
  const beside = new Map(nodes.map((node) => [node.id, []]));
  for (const { from, to } of edges) {
    beside.get(from)?.push(to);
    beside.get(to)?.push(from);
  }
  const found = new Set([beside.has(root) ? root : nodes[0].id]);
  for (const id of found) for (const other of beside.get(id)) if (found.size < MOST) found.add(other);
  for (const node of nodes) if (found.size < MOST) found.add(node.id); // a folder's files may have nothing in common
  return nodes.map((node) => node.id).filter((id) => found.has(id));
}

/** Edges between the same two nodes as one, with all that they say. */
function together(edges) {
  const found = new Map();
  for (const { from, to, relation, step } of edges) {
    const key = JSON.stringify([from, to]);
    if (!found.has(key)) found.set(key, { from, to, relation, says: new Set() });
    const { says } = found.get(key);
    if (step !== null && step !== undefined) says.add(`step ${step}`);
    else if (!PLAIN.includes(relation)) says.add(relation);
  }
  return [...found.values()];
}

function boxOf(node, { column, row }, isRoot, box) {
  const { address, kind, name, about } = box(node);
  const place = `left:${MARGIN + column * (WIDTH + GAP)}px;top:${MARGIN + row * ROW}px;width:${WIDTH}px;height:${HEIGHT}px`;
  const current = isRoot ? "true" : null;
  const content = [h("span", { class: "name" }, name), h("span", { class: "about" }, about)];
  const attributes = { class: `node ${kind}`, style: place, title: `${name}\n${about}`, "aria-current": current };
  return address === null ? h("div", attributes, content) : h("a", { ...attributes, ...address }, content);
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function lines(ways, width, height) {
  const arrow = svg(
    "marker",
    { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0 8 4 0 8z", class: "head" }),
  );
  const drawn = ways.map(({ edge, way }) =>
    svg("path", { d: pathOf(way), class: `edge ${classOf(edge)}`, "marker-end": "url(#arrow)" }),
  );
  const labels = ways.length > LABELLED ? [] : ways.map(labelOf);
  return svg("svg", { width, height, "aria-hidden": "true" }, svg("defs", {}, arrow), ...drawn, ...labels);
}

const classOf = ({ relation }) => (PLAIN.includes(relation) ? "plain" : "linked");

const leftOf = ({ column }) => MARGIN + column * (WIDTH + GAP);
const middleOf = ({ row }) => MARGIN + row * ROW + HEIGHT / 2;

/** From the right side of the first box to the left side of the last, straight through the columns between. */
function pathOf(way) {
  const parts = way.slice(1).map((next, at) => {
    const [x, y] = [leftOf(way[at]) + WIDTH, middleOf(way[at])];
    const half = GAP / 2;
    const curve = `C${x + half} ${y} ${leftOf(next) - half} ${middleOf(next)} ${leftOf(next)} ${middleOf(next)}`;
    return next.id === null ? `${curve}H${leftOf(next) + WIDTH}` : curve;
  });
  return `M${leftOf(way[0]) + WIDTH} ${middleOf(way[0])}${parts.join("")}`;
}

/** What an edge says, above its end. */
function labelOf({ edge, way }) {
  const words = [...edge.says];
  const text = words.length > 2 ? `${words[0]} … ${words.at(-1)}` : words.join(", ");
  return svg("text", { x: leftOf(way.at(-1)) - 10, y: middleOf(way.at(-1)) - 5, class: "says" }, text);
}
