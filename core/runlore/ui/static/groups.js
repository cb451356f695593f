// The table of groups: the number of runs, and for each metric the mean with its interval and the best value.

import { h, runLink } from "./dom.js";
import { count, groupText, number } from "./format.js";
import { colourAt } from "./plot.js";
import { label } from "./relations.js";

export const GROUPS = 12; // groups with bands; the server sends no more
const NAMED = 5; // runs that are left out

/** The table of groups; `found` has one answer for each metric. */
export function groupTable(found, by) {
  const heads = h(
    "tr",
    {},
    h("th"),
    by.map((field) => h("th", {}, label(field))),
    h("th", { class: "number" }, "runs"),
    found.map((item) => h("th", { class: "number" }, label(item.metric))),
  );
  const rows = found[0].groups.map((group, place) =>
    h(
      "tr",
      {},
      h("td", {}, h("span", { class: "dot", dot: place < GROUPS ? colourAt(place) : null })),
      by.map((field) => h("td", { title: groupText(group.by[field]) }, groupText(group.by[field]))),
      h("td", { class: "number" }, group.runs.length + group.lacking),
      found.map((item) => h("td", { class: "number" }, cell(item.groups.find((other) => same(other.by, group.by))))),
    ),
  );
  const table = h("table", { class: "list groups" }, h("thead", {}, heads), h("tbody", {}, rows));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Groups" }, table);
}

/** The runs that do not count, and how they would, in the words of `runlore stats`; null where all count. */
export function leftOut(runs = []) {
  if (!runs.length) return null;
  const named = runs
    .slice(0, NAMED)
    .flatMap((item, place) => [place ? ", " : "", runLink(item.run, item.name), ` (${item.status})`]);
  return h(
    "p",
    { class: "left-out" },
    `${count(runs.length, "run")} left out, not finished: `,
    named,
    runs.length > NAMED ? ` and ${runs.length - NAMED} more` : "",
    ". A query that names status counts them.",
  );
}

function cell(group) {
  if (!group || group.mean === null) return "–";
  const half = group.ci95 ? ` ± ${number(Number(((group.ci95[1] - group.ci95[0]) / 2).toPrecision(2)))}` : "";
  return `${number(group.mean)}${half} (${number(group.best?.value)})`;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
