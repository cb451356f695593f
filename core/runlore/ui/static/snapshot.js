// What stands in a page that was sent in place of the server, the address and the browser's memory: its own content.

import { bare, partsOf } from "./fields.js";
import { ordered } from "./format.js";

const kept = JSON.parse(document.getElementById("content").textContent);
const state = { ...kept.state };

/** What the page was made of. */
export const content = kept;

/** The server's answers as they were when the page was made, for the runs that are asked for. */
export async function ask(path, parameters = {}) {
  const answers = { "/api/runs": table, "/api/metrics": metrics, "/api/curves": curves, "/api/bands": bands };
  if (path === "/api/compare" && kept.compared) return structuredClone(kept.compared);
  if (Object.hasOwn(answers, path)) return answers[path](parameters);
  throw new Error("this page has no server behind it");
}

export async function change() {
  throw new Error("this page has no server behind it: nothing can be changed here");
}

export const runPath = (id) => `/run/${encodeURIComponent(id)}`;

/** Runs that the page tells of are places of it; nothing else can be reached from here. */
export const outer = (address) => {
  const run = /^\/run\/([^/?]+)$/.exec(address);
  return run && kept.details.some((item) => item.id === decodeURIComponent(run[1])) ? `#run-${run[1]}` : "#";
};

export const read = () => state;
export const write = (patch) => void Object.assign(state, patch);
export const remembered = (name, otherwise) => kept.settings[name] ?? otherwise;
export const remember = async () => null;

function table({ sort = "", offset = 0, limit = 100, columns: wanted = [] }) {
  const { rows, ...rest } = kept.table;
  const places = wanted.map((field) => rest.columns.findIndex((column) => column.field === field)).filter((at) => at >= 0);
  const only = (row) => ({ ...row, values: places.map((at) => row.values[at]) });
  const fixed = { name: "name", status: "status", started: "started", duration: "duration_s" };
  const value = (row, field) => {
    const at = rest.columns.findIndex((column) => column.field === field);
    return at < 0 ? row[fixed[field]] : row.values[at];
  };
  const parts = partsOf(sort).map((part) => ({ field: bare(part), down: part.startsWith("-") }));
  const order = (one, other) =>
    parts.reduce((way, { field, down }) => way || ordered(value(one, field), value(other, field), down), 0);
  const sorted = sort !== kept.state.sort ? [...rows].sort(order) : rows; // as the server sorted them
  const columns = places.map((at) => rest.columns[at]);
  return { ...rest, columns, total: rows.length, rows: sorted.slice(offset, offset + limit).map(only) };
}

function metrics({ runs }) {
  const own = Object.entries(kept.curves)
    .map(([key, { curves }]) => [key, curves.filter((curve) => runs.includes(curve.run))])
    .filter(([, found]) => found.length);
  const each = (of) => Object.fromEntries(own.map(([key, found]) => [key, of(found)]));
  return {
    runs: kept.table.rows.filter((row) => runs.includes(row.id)),
    metrics: each((found) => found.length),
    points: each((found) => Math.max(...found.map((curve) => curve.points))),
  };
}

function curves({ runs, key, begin, end }) {
  const found = kept.curves[key] ?? { curves: [] };
  const part = (curve) => {
    if (begin === undefined) return curve;
    const inside = curve.x.flatMap((x, at) => (x >= begin && x <= end ? [at] : []));
    const [low, high] = [Math.max(0, (inside[0] ?? 0) - 1), (inside.at(-1) ?? -1) + 2];
    return { ...curve, x: curve.x.slice(low, high), y: curve.y.slice(low, high) };
  };
  return { ...found, curves: found.curves.filter((curve) => runs.includes(curve.run)).map(part) };
}

const bands = ({ key }) => kept.bands[key] ?? { bands: [] };
