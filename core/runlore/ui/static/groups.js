// The table of groups: the number of runs, and for each metric the mean with its interval and the best value.

import { dot } from "./colours.js";
import { h, runLink } from "./dom.js";
import { labels } from "./fields.js";
import { count, groupText, number, ordered } from "./format.js";

export const GROUPS = 12; // groups with bands; the server sends no more
const NAMED = 5; // runs that are left out

/** The table of groups; `found` has one answer for each metric.
 *
 * `order` is {at, down}: the column that it is sorted by, or null for the server's order. `on` has sort(order) and
 * open(group), which shows the runs of one, or null.
 */
export function groupTable(found, by, order, on) {
  const columns = [...labels(by), "runs", ...labels(found.map((item) => item.metric))];
  const head = (name, at) => {
    const way = order?.at === at ? (order.down ? "descending" : "ascending") : "none";
    const sign = { descending: " ▾", ascending: " ▴", none: "" }[way];
    const onclick = () => on.sort(way === "ascending" ? null : { at, down: way !== "descending" });
    return h(
      "th",
      { class: at < by.length ? "" : "number", "aria-sort": way },
      h("button", { type: "button", class: "plain", onclick }, name + sign),
    );
  };
  const lines = found[0].groups.map((group, place) => {
    const own = found.map((item) => item.groups.find((other) => same(other.by, group.by)));
    const runs = group.runs.length + group.lacking;
    return { group, place, own, keys: [...by.map((field) => group.by[field]), runs, ...own.map((item) => item?.mean)] };
  });
  if (order) lines.sort((one, other) => ordered(one.keys[order.at], other.keys[order.at], order.down));
  const rows = lines.map(({ group, place, own, keys }) =>
    h(
      "tr",
      {},
      h("td", {}, place < GROUPS ? dot(place) : null),
      by.map((field, at) => {
        const words = groupText(group.by[field]);
        const open = () => on.open(group.by);
        const shown = at || !on.open ? words : h("button", { type: "button", class: "plain link", onclick: open }, words);
        return h("td", { title: at || !on.open ? words : `${words}: show these runs` }, shown);
      }),
      h("td", { class: "number" }, keys[by.length]),
      own.map((item) => h("td", { class: "number" }, cell(item))),
    ),
  );
  const table = h(
    "table",
    { class: "list groups" },
    h("thead", {}, h("tr", {}, h("th"), columns.map(head))),
    h("tbody", {}, rows),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Groups" }, table);
}

/** The query for the runs of a group: those of another query that have its values. */
export function groupQuery(where, group) {
  const terms = Object.entries(group).map(([field, value]) =>
    value === null || value === undefined ? `${field} is None` : `${field} == ${JSON.stringify(value)}`,
  );
  const own = terms.join(" and ").replace(/\btrue\b/g, "True").replace(/\bfalse\b/g, "False");
  return where ? `(${where}) and ${own}` : own;
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
  return `${number(group.mean)}${interval(group)} (${number(group.best?.value)})`;
}

/** Half of the interval of a mean; one that only rounding has made is 0. */
function interval({ mean, ci95 }) {
  if (!ci95) return "";
  const half = (ci95[1] - ci95[0]) / 2;
  return ` ± ${half < Math.abs(mean) * 1e-12 ? 0 : number(Number(half.toPrecision(2)))}`;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
