// The overview of a run: summary, metrics, params, data, children, notes.

import { command, fill, h, link, runLink, shortened } from "./dom.js";
import { headed } from "./download.js";
import { measured, moment, number, size, text, titled } from "./format.js";
import { drafts, notes } from "./notes.js";
import { byUse } from "./traces.js";

/** Show the overview in a node; `again` is called after something was added, null where nothing can be.
 *
 * Notes that are being written stay.
 */
export function overview(node, run, again) {
  const putBack = drafts(node);
  fill(
    node,
    error(run),
    h(
      "div",
      { class: "columns2" },
      h("div", {}, metrics(run), pairs("Summary", run.summary, run), children(run)),
      h(
        "div",
        {},
        params(run),
        data(run),
        notes(run, again),
        segments(run),
        missing(run),
        h("h2", {}, "Do it again"),
        command(`runlore reproduce ${run.id}`),
        h("p", { class: "quiet" }, "Add ", h("code", {}, "--dry-run"), " to see the plan first."),
      ),
    ),
  );
  putBack();
}

function error(run) {
  const { error: found } = run;
  if (!found) return null;
  return h(
    "section",
    { class: "error", style: "margin-bottom:18px" },
    h("b", {}, found.type),
    found.message ? `: ${found.message}` : "",
    found.traceback ? h("pre", { class: "mono", tabindex: 0 }, found.traceback) : null,
  );
}

const NUMBERS = ["last", "step", "min", "max", "points"]; // of a metric
const numbersOf = ({ last, last_step: step, min, max, count }) => [last, step, min, max, count];

function metrics(run) {
  const keys = Object.keys(run.metrics).sort(byUse);
  if (!keys.length)
    return h(
      "section",
      {},
      h("h2", {}, "Metrics"),
      h("p", { class: "quiet" }, run.status === "running" ? "None yet." : "None were logged."),
    );
  return h(
    "section",
    { tabindex: 0, role: "region", "aria-label": "Metrics" }, // narrow windows scroll it
    headed("Metrics", `metrics of ${run.name}`, () => [["metric", ...NUMBERS], ...keys.map((key) => [key, ...numbersOf(run.metrics[key])])]),
    h(
      "table",
      { class: "list" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("td"),
          NUMBERS.map((name) => h("th", { class: `number of-${name}` }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        keys.map((key) => {
          const [last, step, min, max, points] = numbersOf(run.metrics[key]);
          return h(
            "tr",
            {},
            h("td", { class: "mono" }, key),
            h("td", { class: "number" }, measured(key, last)),
            h("td", { class: "number quiet" }, step),
            [min, max].map((value) => h("td", { class: "number" }, measured(key, value))),
            h("td", { class: "number quiet of-points" }, points),
          );
        }),
      ),
    ),
  );
}

function params(run) {
  const entries = Object.entries(run.params);
  if (!entries.length) return h("section", {}, h("h2", {}, "Params"), h("p", { class: "quiet" }, "None."));
  const captured = new Set(run.captured);
  const list = h("dl", { class: "facts" });
  const draw = (wanted) =>
    fill(
      list,
      entries
        .filter(([key]) => key.toLowerCase().includes(wanted.toLowerCase()))
        .flatMap(([key, value]) => [
          h("dt", { class: "mono" }, key),
          h("dd", { class: captured.has(key) ? "mono quiet" : "mono" }, shortened(value)),
        ]),
    );
  draw("");
  const find =
    entries.length > 15
      ? h("input", {
          type: "search",
          placeholder: `find among ${entries.length}`,
          "aria-label": "Find a param",
          oninput: (event) => draw(event.target.value),
          style: "margin-bottom:6px",
        })
      : null;
  return h(
    "section",
    {},
    headed("Params", `params of ${run.name}`, () => [
      ["param", "value", "captured"],
      ...entries.map(([key, value]) => [key, value, captured.has(key) ? "yes" : ""]),
    ]),
    find,
    h(
      "div",
      {
        style: "max-height:420px;overflow:auto",
        tabindex: entries.length > 15 ? 0 : null,
        role: "region",
        "aria-label": "Params",
      },
      list,
    ),
  );
}

function data(run) {
  const entries = Object.entries(run.data);
  if (!entries.length) return null;
  return h(
    "section",
    {},
    headed("Data", `data of ${run.name}`, () => keptFacts(run.data)),
    h(
      "table",
      { class: "list" },
      h(
        "tbody",
        {},
        entries.map(([name, facts]) =>
          h(
            "tr",
            {},
            h("td", { class: "mono" }, name),
            h(
              "td",
              {},
              [
                facts.kind,
                (facts.shape ?? []).join(" × ") || (facts.rows === undefined ? "" : `${facts.rows} rows`),
                [facts.dtypes].flat().slice(0, 3).join(", "),
              ]
                .filter(Boolean)
                .join(", "),
            ),
            h(
              "td",
              { class: "mono quiet", title: facts.fingerprint ?? "" },
              facts.fingerprint
                ? link(`/find?sha256=${facts.fingerprint}`, String(facts.fingerprint).slice(0, 12))
                : "",
            ),
          ),
        ),
      ),
    ),
  );
}

/** What is known of data as rows of a file: each fact that one of them has is a column. */
function keptFacts(found) {
  const facts = [...new Set(Object.values(found).flatMap((item) => Object.keys(item)))];
  return [["data", ...facts], ...Object.entries(found).map(([name, item]) => [name, ...facts.map((fact) => own(item, fact))])];
}

function segments(run) {
  const { segments: found } = run;
  if (found.length < 2) return null;
  return h(
    "section",
    {},
    headed("Segments", `segments of ${run.name}`, () => [
      ["started", "status", "from_step", "changed", "error"],
      ...found.map((item) => [item.started, item.status, item.from_step, item.changed, item.error]),
    ]),
    h(
      "table",
      { class: "list" },
      h(
        "tbody",
        {},
        found.map((item) =>
          h(
            "tr",
            {},
            h("td", {}, moment(item.started)),
            h("td", {}, h("span", { class: `status ${item.status}` }, item.status)),
            h("td", {}, item.from_step === null ? "" : `from step ${item.from_step}`),
            h(
              "td",
              {},
              Object.entries(item.changed).map(([key, [before, after]]) =>
                h("div", {}, `${key} ${text(before)} → ${text(after)}`),
              ),
            ),
            h("td", {}, item.error ?? ""),
          ),
        ),
      ),
    ),
  );
}

function missing(run) {
  const { missing: found } = run;
  return found.length
    ? h(
        "section",
        {},
        h("h2", {}, "Missing"),
        found.map((item) => h("p", { class: "quiet", style: "margin:3px 0" }, `${item.what}: ${item.why}`)),
      )
    : null;
}

function children(run) {
  const { children: found } = run;
  if (!found.length) return null;
  const varying = [...new Set(found.flatMap((child) => Object.keys(child.params)))]
    .filter((key) => new Set(found.map((child) => JSON.stringify(own(child.params, key)))).size > 1)
    .slice(0, 4);
  const keys = [...new Set(found.flatMap((child) => Object.keys(child.metrics)))]
    .filter((key) => !/_time$|^system\//.test(key))
    .sort(byUse)
    .slice(0, 3);
  return h(
    "section",
    {},
    headed(`Children (${run.children_count})`, `children of ${run.name}`, () => keptChildren(found)),
    h(
      "table",
      { class: "list" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", {}, "run"),
          h("th", {}, "status"),
          varying.map((key) => h("th", {}, key)),
          keys.map((key) => h("th", { class: "number" }, key)),
        ),
      ),
      h(
        "tbody",
        {},
        found.map((child) =>
          h(
            "tr",
            {},
            h("td", {}, runLink(child.id, child.name)),
            h("td", {}, h("span", { class: `status ${child.status}` }, child.status)),
            varying.map((key) => h("td", { class: "mono" }, shortened(own(child.params, key)))),
            keys.map((key) => h("td", { class: "number" }, number(own(child.metrics, key) ?? null))),
          ),
        ),
      ),
    ),
    found.length < run.children_count
      ? h(
          "p",
          { class: "quiet" },
          `The first ${found.length}; all: `,
          link(`/?all=1&q=${encodeURIComponent(`parent == "${run.id}"`)}`, "in the table"),
        )
      : null,
  );
}

/** Children as rows of a file, with all of their params and metrics. */
function keptChildren(found) {
  const names = (table) => [...new Set(found.flatMap((child) => Object.keys(child[table])))];
  const tables = ["params", "metrics"].map((table) => [table, names(table)]);
  const head = tables.flatMap(([table, keys]) => keys.map((key) => `${table}.${key}`));
  const line = (child) => tables.flatMap(([table, keys]) => keys.map((key) => own(child[table], key)));
  return [["id", "name", "status", ...head], ...found.map((child) => [child.id, child.name, child.status, ...line(child)])];
}

/** A list of names and values of a run with a title; null if it is empty. */
export function pairs(title, values, run) {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== "");
  return entries.length
    ? h(
        "section",
        {},
        headed(titled(title), `${title.toLowerCase()} of ${run.name}`, () => [["name", "value"], ...entries]),
        h(
          "dl",
          { class: "facts" },
          entries.flatMap(([key, value]) => [
            h("dt", { class: "mono" }, key),
            h("dd", { class: "mono" }, shortened(readable(key, value))),
          ]),
        ),
      )
    : null;
}

/** A value under its name as people read it: bytes as a size, yes and no. */
function readable(name, value) {
  if (Array.isArray(value)) return value.map((item) => readable(name, item));
  if (/_bytes$/.test(name) && typeof value === "number") return size(value);
  return typeof value === "boolean" ? (value ? "yes" : "no") : value;
}

/** A value that an object itself holds: keys come from users, and one may be called "constructor". */
const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);
