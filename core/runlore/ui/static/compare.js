// Two or more runs side by side: their differences, the diff of the code, metrics, curves.

import { ask } from "./api.js";
import { dot, placesOf, replaced } from "./colours.js";
import { Curves } from "./curves.js";
import { headed, keeper, pageOf } from "./download.js";
import { fill, h, link, runLink, trying } from "./dom.js";
import { diffView } from "./look.js";
import { ago, distinct, duration, number, shortened, text, titled } from "./format.js";
import { classFields } from "./relations.js";
import { read, write } from "./state.js";

const NARROW = 34; // letters of a name on a phone
const LONG = 160; // characters of a value; the rest opens on a click

/** Show the comparison; without `go` it can't be turned round, and without `curves` it has none. */
export async function show(host, { go, curves: drawn = true }) {
  const { runs } = read();
  if (runs.length < 2) {
    fill(
      host,
      h(
        "div",
        { class: "empty" },
        h("h1", {}, "Compare runs"),
        h(
          "p",
          {},
          "Select from two to ten runs in the table of ",
          link("/", "all runs"),
          " and press Compare. The first is the one that the others are compared with.",
        ),
        h(
          "p",
          {},
          "In the terminal: ",
          h("code", {}, "runlore diff A B"),
          ", and ",
          h("code", {}, "runlore diff A ."),
          " for the working tree.",
        ),
      ),
    );
    return {};
  }
  fill(host, h("div", { class: "sheet quiet" }, "Comparing …"));
  const found = await ask("/api/compare", { runs });
  const places = placesOf(found.runs.map((run) => run.id));
  found.runs = distinct(found.runs.map((run, at) => ({ ...run, place: places[at] })));
  found.dots = [];
  const parts = [head(found, go), causes(found), effects(found)];
  if (!drawn) return void fill(host, parts);
  const curves = coloured(found);
  const charts = h(
    "div",
    { class: "hidden" },
    h("div", { class: "controls", style: "padding-left:0" }, curves.controls),
    curves.node,
  );
  const sheet = h(
    "div",
    { class: "sheet" },
    parts,
    h("h2", {}, "Curves"),
    charts,
  );
  fill(host, sheet);
  charts.classList.remove("hidden");
  curves.node.style.overflow = "visible";
  curves.node.style.padding = "0";
  trying(() => curves.show({ runs: found.runs }))();
  return {
    news: (told) => {
      if (told.more || found.runs.some((run) => told.runs.includes(run.id))) trying(() => curves.grown())();
    },
    close: () => curves.close(),
  };
}

/** The curves of the runs; when these have other colours the dots in the tables follow. */
function coloured(found) {
  const shaded = () => found.dots.forEach(([node, run]) => fill(node, dot(curves.placeOf(run.id) ?? run.place)));
  const picked = () => {
    replaced(found.runs);
    curves.recolour();
    shaded();
  };
  const fields = async () => classFields(await ask("/api/keys"), []);
  const curves = new Curves(read, write, { fields, shaded, picked });
  return curves;
}

/** The dot of a run, in the colour of its curves. */
function dotOf(found, run) {
  const node = h("span", {}, dot(run.place));
  found.dots.push([node, run]);
  return node;
}

function head(found, go) {
  const move = (place) => {
    const ids = found.runs.map((run) => run.id);
    ids.unshift(...ids.splice(place, 1));
    go(`/compare?${ids.map((id) => `runs=${id}`).join("&")}`, { replace: true });
  };
  const out = (run, place) => {
    const others = found.runs.filter((_, at) => at !== place);
    const onclick = () => go(`/compare?${others.map(({ id }) => `runs=${id}`).join("&")}`);
    return h("button", { type: "button", class: "plain", "aria-label": `Take ${run.name} out`, title: "Take out", onclick }, "×");
  };
  return h(
    "table",
    { class: "list compared", style: "margin-bottom:18px" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", {}, "run"),
        h("th", {}, "status"),
        h("th", {}, "started"),
        h("th", { class: "number" }, "took"),
        h(
          "th",
          { class: "right" },
          go && [h("a", { href: pageOf("/compare"), download: "" }, "⤓ as HTML"), " "],
          keeper("compared runs", () => keptRuns(found), () => document.querySelector(".compared")),
        ),
      ),
    ),
    h(
      "tbody",
      {},
      found.runs.map((run, place) =>
        h(
          "tr",
          {},
          h("td", {}, dotOf(found, run), " ", runLink(run.id, run.name)),
          h("td", {}, h("span", { class: `status ${run.status}` }, run.status)),
          h("td", {}, ago(run.started)),
          h("td", { class: "number" }, duration(run.duration_s)),
          h(
            "td",
            { class: "right" },
            place === 0
              ? h("span", { class: "chip" }, "the others are compared with it")
              : go && h("button", { type: "button", class: "plain", onclick: () => move(place) }, "Compare with this"),
            go && found.runs.length > 2 && out(run, place),
          ),
        ),
      ),
    ),
  );
}

/** By table the rows of a file, the head first. */
const keptRuns = ({ runs }) => [
  ["id", "name", "status", "started", "duration_s"],
  ...runs.map((run) => [run.id, run.name, run.status, run.started, run.duration_s]),
];

const keptCauses = ({ runs, rows }) => [
  ["group", "field", ...runs.map((run) => run.name)],
  ...rows.map((row) => [row.group, row.key, ...row.values]),
];

function keptEffects({ runs, pairs }, keys) {
  const [, ...others] = runs;
  const line = (key) => [key, ...runs.map((run) => run.metrics[key]?.last), ...pairs.map((pair) => pair.metrics[key]?.parts_at)];
  return [["metric", ...runs.map((run) => run.name), ...others.map((run) => `${run.name} parts at`)], ...keys.map(line)];
}

/** The names above the columns; on a phone, where these are narrow, what tells them apart. */
function names(found) {
  const most = matchMedia("(max-width: 480px)").matches ? NARROW : Infinity;
  const short = shortened(found.runs.map((run) => run.name), most);
  return found.runs.map((run) => h("th", { title: run.name }, dotOf(found, run), " ", short.get(run.name)));
}

function causes(found) {
  const notes = [...new Set(found.pairs.flatMap((pair) => pair.notes))];
  if (!found.rows.length)
    return h(
      "section",
      {},
      h("h2", {}, "What differs"),
      h("p", {}, "Nothing that was recorded: the same data, params, code, packages and machine."),
      notes.map((note) => h("p", { class: "quiet" }, note)),
    );
  let group = "";
  const rows = found.rows.flatMap((row) => {
    const title =
      row.group === group
        ? null
        : h(
            "tr",
            {},
            h(
              "th",
              { class: "group-name", colspan: found.runs.length + 1, style: "padding-top:12px" },
              titled((group = row.group)),
            ),
          );
    const diffs = found.pairs.map((pair) =>
      pair.changes.find(
        (change) => change.group === row.group && change.key === row.key && (change.diff || change.rows),
      ),
    );
    if (row.group !== "code" || !diffs.some(Boolean))
      return [
        title,
        h(
          "tr",
          {},
          h("td", { class: "mono" }, row.key),
          row.values.map((value, place) =>
            h("td", {}, cell(value), diffs[place - 1] ? h("div", { class: "quiet" }, diffs[place - 1].rows.text) : null),
          ),
        ),
      ];
    const one = diffs.filter(Boolean);
    return [
      title,
      h(
        "tr",
        {},
        h(
          "td",
          { class: "mono", colspan: found.runs.length + 1 },
          row.key,
          one.map((change) => [
            one.length > 1 || found.runs.length > 2
              ? h("div", { class: "quiet" }, `${found.runs[0].name} → ${found.runs[diffs.indexOf(change) + 1].name}`)
              : null,
            change.rows ? h("p", {}, change.rows.text) : null,
            change.diff ? diffView(change.diff) : null,
          ]),
        ),
      ),
    ];
  });
  return h(
    "section",
    {},
    headed("What differs, in the order in which it most likely matters", "differences", () => keptCauses(found)),
    h("table", { class: "list sides" }, h("thead", {}, h("tr", {}, h("th", {}, ""), names(found))), h("tbody", {}, rows)),
    notes.map((note) => h("p", { class: "quiet" }, note)),
  );
}

function cell(value) {
  if (value === null || value === undefined) return h("span", { class: "quiet" }, "–");
  const words = text(value);
  return words.length <= LONG ? words : h("details", {}, h("summary", {}, `${words.slice(0, LONG)}…`), words);
}

function effects(found) {
  const keys = [...new Set(found.runs.flatMap((run) => Object.keys(run.metrics)))]
    .filter((key) => !key.startsWith("system/"))
    .sort();
  if (!keys.length) return null;
  const [first] = found.runs;
  /** How a run differs from the first: the difference of the last values, and the step where the curves part. */
  const difference = (key, run, at) => {
    const [before, now] = [first.metrics[key]?.last, run.metrics[key]?.last];
    if (typeof before !== "number" || typeof now !== "number") return null;
    const parts = found.pairs[at]?.metrics[key]?.parts_at;
    const by = now - before;
    const words = by ? `${by > 0 ? "+" : "−"}${number(Math.abs(Number(by.toPrecision(5))))}` : "same";
    const where = parts === undefined || parts === null ? "" : `, from step ${parts}`;
    return h("div", { class: "quiet" }, words + where);
  };
  return h(
    "section",
    {},
    headed("Metrics: last values, how they differ from the first run's, and where the curves part", "metrics", () =>
      keptEffects(found, keys),
    ),
    h(
      "table",
      { class: "list sides" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th"),
          names(found),
        ),
      ),
      h(
        "tbody",
        {},
        keys.map((key) => {
          const differs = found.pairs.some((pair) => Object.hasOwn(pair.metrics, key));
          return h(
            "tr",
            { class: differs ? "" : "same" },
            h("td", { class: "mono" }, key),
            found.runs.map((run, at) =>
              h(
                "td",
                { class: "number" },
                number(run.metrics[key]?.last ?? null),
                at ? difference(key, run, at - 1) : null,
              ),
            ),
          );
        }),
      ),
    ),
  );
}
