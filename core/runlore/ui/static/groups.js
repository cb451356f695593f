// The table of groups: the number of runs, and for each metric the mean with its interval and the best value.

import { dot } from "./colours.js";
import { h, runLink } from "./dom.js";
import { keeper } from "./download.js";
import { labels } from "./fields.js";
import { count, groupText, number, ordered } from "./format.js";
import { has, withTerms } from "./terms.js";

export const GROUPS = 12; // groups with bands; the server sends no more
export const MEMBERS = 100; // runs that a group shows
const NAMED = 5; // runs that are left out

/** The table of groups; `found` has one answer for each metric.
 *
 * `order` is {at, down}: the column that it is sorted by, or null for the server's order. `on` has sort(order),
 * open(by), which shows only the runs of a group, expand(group), which lists them below it, `members`, the runs of
 * those that are expanded, and keep(group), which promises all runs of one as rows of a file; a page without a server has
 * only the first.
 */
export function groupTable(found, by, order, on) {
  const over = found[0].over;
  const columns = [...labels(by), "runs", ...(over.length ? ["n"] : []), ...labels(found.map((item) => item.metric))];
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
    const numbers = over.length ? [runs, group.n] : [runs];
    const keys = [...by.map((field) => group.by[field]), ...numbers, ...own.map((item) => item?.mean)];
    return { group, place, own, numbers, keys };
  });
  if (order) lines.sort((one, other) => ordered(one.keys[order.at], other.keys[order.at], order.down));
  const name = (group, field, at) => {
    const words = groupText(group.by[field]);
    if (at || !on.open) return h("td", { title: words }, words);
    const open = h("button", { type: "button", class: "plain link", onclick: () => on.open(group.by) }, words);
    return h("td", { title: `${words}: show these runs` }, open);
  };
  const rows = lines.map(({ group, place, own, numbers }) => {
    const runs = on.members?.get(JSON.stringify(group.by));
    const line = h(
      "tr",
      {},
      h(
        "td",
        { class: "lead" },
        on.expand ? expander(group, Boolean(runs), on.expand) : null,
        place < GROUPS ? dot(place) : null,
      ),
      by.map((field, at) => name(group, field, at)),
      numbers.map((amount) => h("td", { class: "number" }, amount)),
      own.map((item) => h("td", { class: "number" }, cell(item))),
    );
    return [line, runs ? members(group, runs, by.length + numbers.length, over, on.keep) : null];
  });
  const table = h(
    "table",
    { class: "list groups" },
    h("thead", {}, h("tr", {}, h("th", {}, h("span", { class: "unseen" }, "colour")), columns.map(head))),
    h("tbody", {}, rows),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Groups" }, table);
}

const nameOf = (group) => Object.values(group.by).map(groupText).join(", ");

function expander(group, isOpen, expand) {
  const words = `Runs of ${nameOf(group)}`;
  const about = { "aria-expanded": String(isOpen), "aria-label": words, title: words };
  return h(
    "button",
    { type: "button", class: "plain expander", onclick: () => expand(group), ...about },
    isOpen ? "▾" : "▸",
  );
}

/** The rows of a group's runs: each with what tells it from the others of the group, and its values. */
function members(group, runs, width, over, keep) {
  const lines = runs.map((run, place) =>
    h(
      "tr",
      { class: "member" },
      h("td", {}, place === 0 && keeper(`runs of ${nameOf(group)}`, () => keep(group))),
      h(
        "td",
        { colspan: width },
        runLink(run.id, run.name),
        h(
          "span",
          { class: "quiet" },
          over.map((field, at) => ` ${labels([field])[0]} ${groupText(run.values[at])}`),
        ),
      ),
      run.values.slice(over.length).map((value) => h("td", { class: "number" }, number(value))),
    ),
  );
  const more = group.runs.length - runs.length;
  const rest = h("tr", { class: "member" }, h("td"), h("td", { colspan: width, class: "quiet" }, `and ${more} more`));
  return more > 0 ? [...lines, rest] : lines;
}

/** The table of groups as rows of a file: of each metric the mean, the ends of its 95 % interval, and the best value. */
export function groupRows(found, by) {
  const { groups, over } = found[0];
  const of = ({ metric }) => [metric, `${metric} low`, `${metric} high`, `${metric} best`];
  const head = [...by, "runs", ...(over.length ? ["n"] : []), ...found.flatMap(of)];
  const own = (item) => [item?.mean, ...(item?.ci95 ?? [null, null]), item?.best?.value];
  const line = (group) => [
    ...by.map((field) => group.by[field]),
    group.runs.length + group.lacking,
    ...(over.length ? [group.n] : []),
    ...found.flatMap((item) => own(item.groups.find((other) => same(other.by, group.by)))),
  ];
  return [head, ...groups.map(line)];
}

/** What `runlore stats --over` says below its table, for each metric; nothing without `over`. */
export function testLines(found, by) {
  if (!found[0].over.length) return null;
  const named = (group) => by.map((field) => groupText(group[field])).join(" ");
  const names = labels(found.map((item) => item.metric));
  const line = ({ test, why_no_test: why }, at) =>
    test ? `${names[at]}, ${testText(test, named)}` : why ? `${names[at]}: ${why}` : null;
  const mixed = found[0].mixed ?? [];
  const others = `${mixed.slice(0, NAMED).join(", ")}${mixed.length > NAMED ? ` and ${mixed.length - NAMED} more` : ""}`;
  const said = [...found.map(line), mixed.length ? `Runs of one group differ in ${others}, too.` : null].filter(
    Boolean,
  );
  return said.length
    ? h(
        "div",
        { class: "left-out tests" },
        said.map((words) => h("p", {}, words)),
      )
    : null;
}

function testText({ a, b, pairs, difference, ci95, t, p }, named) {
  const text = `paired over ${pairs}: ${named(b)} − ${named(a)} = ${number(difference)}`;
  if (p === null || !ci95) return `${text}, the same for each pair: no test`;
  return `${text} (95 %: ${ci95.map(number).join(" … ")}), t = ${number(Number(t.toPrecision(3)))}, p = ${number(Number(p.toPrecision(2)))}`;
}

/** The query for the runs of a group: those of another query that have its values. */
export function groupQuery(where, group) {
  return withTerms(where, Object.entries(group).map(([field, value]) => has(field, value)));
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
