// What pictures of many runs share: which runs are in them, and the scales and colours of their values.

import { ask } from "./api.js";
import { chooseOne } from "./choosers.js";
import { colourAt, dot } from "./colours.js";
import { h } from "./dom.js";
import { keeper } from "./download.js";
import { fieldsOf, isMetric, label } from "./fields.js";
import { count, distinct, number, ordered, text } from "./format.js";
import { escaped, quiet } from "./plot.js";

export const SELECTED = 50; // runs that a box or a filter selects; the server takes no more
const WIDE = 50; // the largest value over the smallest, from which on an axis is logarithmic by itself
const MOST = 1000; // runs in one picture
const NAMED = 12; // values in a legend
const SHADES = ["#5b4bb0", "#3f6fc0", "#2f8fb8", "#26a38f", "#5bb85d", "#a8a42a"]; // from low to high, in both themes

/** The runs of a question that have a value of each field; of `more` they may lack some. */
export async function rowsOf({ where, all, sort }, fields, more = []) {
  const columns = [...fields, ...more];
  const { rows, total } = await ask("/api/runs", { where, all, sort: sort || null, columns, limit: MOST });
  const has = (row) => row.values.slice(0, fields.length).every((value) => value !== null && value !== "NaN");
  return { rows: distinct(rows).filter(has), total, looked: rows.length, columns };
}

/** The runs of a picture as rows of a file, with each of its fields once. */
function keptRows({ rows, columns }) {
  const places = columns.flatMap((field, at) => (columns.indexOf(field) === at ? at : []));
  const line = (row) => [row.id, row.name, ...places.map((at) => row.values[at])];
  return [["id", "name", ...places.map((at) => columns[at])], ...rows.map(line)];
}

/** Which runs are in a picture: of many only the first of the table. */
export function told({ rows, total, looked }, what) {
  const beyond = total > looked ? `; of ${total} the first ${looked} of the table are looked at` : "";
  return `${count(rows.length, "run")} ${rows.length === 1 ? "has" : "have"} ${what}${beyond}.`;
}

/** A picture with a line above it, in a region of a name; `found()` has its runs, to be kept as a file. */
export function framed(name, found) {
  const plot = h("div", { class: "plot big" });
  const note = h("p", { class: "quiet" });
  const legend = h("div", { class: "legend" });
  const below = h("div");
  const node = h(
    "div",
    { class: "charts", tabindex: 0, role: "region", "aria-label": name },
    h("div", { class: "told" }, note, keeper(name, () => keptRows(found()), plot)),
    legend,
    plot,
    below,
  );
  return { plot, note, legend, below, node };
}

/** The fields that can form classes or colours: also texts that no axis of numbers has. */
export function classFields(keys, shown) {
  const tags = (keys.tags ?? []).map((item) => item.field);
  return [...new Set([...fieldsOf(keys, shown), "experiment", "status", ...tags])];
}

/** A metric and params that pictures begin with: those of the table's columns, else the first that there are. */
export function preferred(columns, fields) {
  const metric = columns.find(isMetric) ?? fields.find(isMetric) ?? fields[0];
  const isParam = (field) => field.startsWith("params");
  const params = [...new Set([...columns.filter(isParam), ...fields.filter(isParam)])];
  return { metric, params: params.length ? params : fields.filter((field) => field !== metric) };
}

/** A box to tick that the address remembers. */
export function flag(place, name, words, again) {
  const onchange = (event) => {
    place.save({ [name]: event.target.checked });
    again();
  };
  return h(
    "label",
    { class: "check" },
    h("input", { type: "checkbox", checked: place.state()[name] === "1", onchange }),
    words,
  );
}

/** A field to choose that the address remembers; `current` is none where there is nothing to choose. */
export function fieldChoice(place, name, words, fields, current, again) {
  const choose = (field) => {
    place.save({ [name]: field });
    again();
  };
  return chooseOne(words, fields, current ?? null, choose);
}

/** True for numbers over which a logarithm is the better scale, as of learning rates. */
export const isWide = (values) =>
  values.length > 1 &&
  values.every((value) => typeof value === "number" && value > 0) &&
  Math.max(...values) >= WIDE * Math.min(...values);

/** The colours of values: of each one, how Plotly scales them, and a legend where they are texts; missing ones are pale. */
export function coloursOf(field, values) {
  const known = values.filter((value) => value !== null);
  const title = label(field);
  if (known.length && known.every((value) => typeof value === "number")) return scaled(title, values, known);
  const names = [...new Set(known.map(text))].sort((one, other) => ordered(one, other));
  const colour = (value) => (value === null ? quiet() : colourAt(names.indexOf(text(value))));
  const more = names.length > NAMED ? h("span", { class: "quiet" }, `and ${names.length - NAMED} more`) : null;
  const legend = names.slice(0, NAMED).map((name, place) => h("span", {}, dot(place), name));
  return { each: values.map(colour), bar: null, legend: [h("span", { class: "quiet" }, title), legend, more] };
}

function scaled(title, values, known) {
  const log = isWide(known);
  const into = log ? Math.log10 : Number;
  const low = Math.min(...known.map(into));
  const span = Math.max(...known.map(into)) - low;
  const part = (value) => (span ? (into(value) - low) / span : 0.5);
  const shade = (value) => SHADES[Math.min(SHADES.length - 1, Math.floor(part(value) * SHADES.length))];
  const ticks = span ? [0, 0.25, 0.5, 0.75, 1].map((at) => low + at * span) : [low];
  const words = (tick) => number(Number((log ? 10 ** tick : tick).toPrecision(3)));
  const bar = {
    cmin: span ? low : low - 1,
    cmax: span ? low + span : low + 1,
    colorscale: steps(),
    showscale: true,
    colorbar: {
      title: { text: escaped(title), font: { size: 11 }, side: "right" },
      thickness: 10,
      outlinewidth: 0,
      tickvals: ticks,
      ticktext: ticks.map(words),
    },
  };
  return { each: values.map((value) => (value === null ? quiet() : shade(value))), bar, legend: [] };
}

/** The shades as a scale of steps, so that a dot has a colour of the bar. */
function steps() {
  return SHADES.flatMap((colour, place) => [
    [place / SHADES.length, colour],
    [(place + 1) / SHADES.length, colour],
  ]);
}

/** A trace without a point that brings the bar of `coloursOf` into a picture. */
export function barOf(colours) {
  const marker = colours?.bar && { ...colours.bar, color: [colours.bar.cmin] };
  return marker ? [{ type: "scatter", mode: "markers", x: [null], y: [null], marker, hoverinfo: "skip" }] : [];
}

/** What a dot says of a field. */
export const saying = (field, value) =>
  `${escaped(label(field))} ${escaped(typeof value === "number" ? number(value) : text(value))}`;

/** A value for Plotly, without markup. */
export const drawable = (value) => (typeof value === "string" ? escaped(value) : value);

/** A table as the text of a picture, folded. */
export function asTable(heads, lines) {
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      heads.map((words, at) => h("th", { class: at ? "number" : "", scope: "col" }, words)),
    ),
  );
  const row = ([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td", { class: "number" }, cell)),
    );
  const table = h("table", { class: "list" }, head, h("tbody", {}, lines.map(row)));
  const box = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The picture as a table" }, table);
  return h("details", { class: "as-table" }, h("summary", {}, "As a table"), box);
}
