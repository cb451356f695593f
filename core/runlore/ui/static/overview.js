// The overview of a run: summary, metrics, params, data, children, notes.

import { command, fill, h, link, runLink, shortened } from "./dom.js";
import { moment, number, text, titled } from "./format.js";
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
      h("div", {}, metrics(run), pairs("Summary", run.summary), children(run)),
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
    h("h2", {}, "Metrics"),
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
          ["last", "step", "min", "max", "points"].map((name) => h("th", { class: "number" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        keys.map((key) => {
          const series = run.metrics[key];
          return h(
            "tr",
            {},
            h("td", { class: "mono" }, key),
            h("td", { class: "number" }, number(series.last)),
            h("td", { class: "number quiet" }, series.last_step),
            [series.min, series.max].map((value) => h("td", { class: "number" }, number(value))),
            h("td", { class: "number quiet" }, series.count),
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
    h("h2", {}, "Params"),
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
    h("h2", {}, "Data"),
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

function segments(run) {
  const { segments: found } = run;
  if (found.length < 2) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Segments"),
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
    h("h2", {}, `Children (${run.children_count})`),
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

/** A list of names and values with a title; null if it is empty. */
export function pairs(title, values) {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== "");
  return entries.length
    ? h(
        "section",
        {},
        h("h2", {}, titled(title)),
        h(
          "dl",
          { class: "facts" },
          entries.flatMap(([key, value]) => [
            h("dt", { class: "mono" }, key),
            h("dd", { class: "mono" }, shortened(value)),
          ]),
        ),
      )
    : null;
}

/** A value that an object itself holds: keys come from users, and one may be called "constructor". */
const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);
