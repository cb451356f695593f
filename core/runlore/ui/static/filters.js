// Filters to click: the parts of a query as chips, each to be taken off, and a box that adds one for a field.

import { ask } from "./api.js";
import { fieldList } from "./choosers.js";
import { closePopover, fill, h, popover } from "./dom.js";
import { isMetric } from "./fields.js";
import { number, ordered, text } from "./format.js";
import { classFields } from "./relations.js";
import { has, termsOf } from "./terms.js";

const LOOKED = 1000; // runs whose values are offered
const FEW = 30; // different values that are listed

/** Fill a node with a chip for each part of a query; `apply(query)` is called without one that is taken off. */
export function filterChips(node, query, apply) {
  const terms = termsOf(query);
  const chip = (term, at) => {
    const words = saidOf(term);
    const off = () => apply(terms.filter((_, place) => place !== at).join(" and "));
    return h(
      "span",
      { class: "chip", title: term },
      h("span", { class: "who" }, words),
      h("button", { type: "button", "aria-label": `Take off the filter ${words}`, title: "Take off", onclick: off }, "×"),
    );
  };
  fill(node, terms.map(chip));
}

/** A part in few words: a word that is looked for, without the fields that may have it. */
function saidOf(term) {
  const [, word] = /^\(like\(name, "%(.*)%"\) or like\(experiment, "%\1%"\) or like\(notes, "%\1%"\)\)$/.exec(term) ?? [];
  return word ? `“${word}”` : term;
}

/** A button for a box that adds a filter: a field, then its values. `place` has keys(), columns(), question() and add(term). */
export function filterButton(place) {
  return popover("Filter", async (box) => {
    const fields = classFields(await place.keys(), place.columns());
    const choose = (field) => {
      fill(box, h("p", { class: "quiet" }, "Reading …"));
      offerValues(box, field, place);
    };
    fieldList(box, fields, null, choose);
    box.querySelector("input").focus();
  });
}

/** Fill the box with the values that runs have of a field, and for numbers with the least and the greatest to ask for. */
async function offerValues(box, field, place) {
  const { where, all } = place.question();
  const { rows } = await ask("/api/runs", { where, all, columns: [field], limit: LOOKED });
  const counts = new Map();
  for (const { values } of rows) counts.set(values[0], (counts.get(values[0]) ?? 0) + 1);
  const known = [...counts.keys()].sort((one, other) => ordered(one, other));
  const take = (...terms) => {
    closePopover();
    place.add(terms);
  };
  const isNumeric = known.some((value) => typeof value === "number");
  const listed = isMetric(field) || known.length > FEW ? [] : known.filter((value) => value !== null);
  const offer = (term, words, count) =>
    h(
      "button",
      { type: "button", class: "plain choice", onclick: () => take(term) },
      h("span", { class: "who" }, words),
      h("span", { class: "quiet" }, count),
    );
  const line = (value) =>
    offer(asksFor(field, value), typeof value === "number" ? number(value) : text(value), counts.get(value));
  const lacking = counts.get(null) ?? 0;
  const whether = lacking
    ? [offer(`${field} is not None`, "any value", rows.length - lacking), offer(`${field} is None`, "none", lacking)]
    : null;
  const none = known.length > FEW && !isNumeric ? h("p", { class: "quiet" }, "Too many values to list: type a query.") : null;
  fill(box, h("p", { class: "mono quiet" }, field), isNumeric ? range(field, take) : none, listed.map(line), whether);
  box.querySelector("input, button")?.focus();
}

/** The condition for a value as tables have it: there the texts True and False stand for truths, too. */
const asksFor = (field, value) =>
  value === "True" || value === "False" ? `${field} in [${value}, "${value}"]` : has(field, value);

/** Fields for the least and the greatest value. */
function range(field, take) {
  const edge = (words) => h("input", { type: "text", inputmode: "decimal", placeholder: words, "aria-label": words });
  const edges = [edge("at least"), edge("at most")];
  const onsubmit = (event) => {
    event.preventDefault();
    const typed = edges.map((input) => (input.value.trim() ? Number(input.value) : Number.NaN));
    const terms = [">=", "<="].flatMap((sign, at) => (Number.isFinite(typed[at]) ? `${field} ${sign} ${typed[at]}` : []));
    if (terms.length) take(...terms);
  };
  return h("form", { class: "row", onsubmit }, edges, h("button", { type: "submit" }, "Set"));
}
