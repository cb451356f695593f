// What pictures of many runs share: which runs are in them, and the fields to choose.

import { ask } from "./api.js";
import { chooseOne } from "./choosers.js";
import { h } from "./dom.js";
import { keeper } from "./download.js";
import { fieldsOf, isMetric, label } from "./fields.js";
import { count, distinct, number, text } from "./format.js";
import { escaped } from "./plot.js";

export const SELECTED = 50; // runs that a box or a filter selects; the server takes no more
const MOST = 1000; // runs in one picture

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

const isPackage = ({ key }) => key.startsWith("packages.");

/** The fields that can form classes or colours: also texts that no axis of numbers has. */
export function classFields(keys, shown) {
  const texts = [...(keys.tags ?? []), ...(keys.data ?? []), ...(keys.env ?? []).filter((item) => !isPackage(item))];
  return [...new Set([...fieldsOf(keys, shown), "experiment", "status", ...texts.map((item) => item.field)])];
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
