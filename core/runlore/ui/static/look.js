// Previews of files: text, JSON, tables, pictures, matrices as heat maps, and coloured diffs.

import { ask, runPath } from "./api.js";
import { outer } from "./base.js";
import { colourAt, dashAt } from "./colours.js";
import { fill, h } from "./dom.js";
import { keeper } from "./download.js";
import { number, size, text } from "./format.js";
import { accent, draw, escaped, scale } from "./plot.js";

const LINES = 4000;

/** A unified diff with coloured lines. */
export function diffView(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  const kind = (line) =>
    /^(diff |\+\+\+|---|index |rename |similarity )/.test(line)
      ? "file"
      : line.startsWith("@@")
        ? "hunk"
        : line.startsWith("+")
          ? "added"
          : line.startsWith("-")
            ? "removed"
            : "";
  return h(
    "div",
    { class: "code", tabindex: 0, role: "region", "aria-label": "Differences in the code" },
    lines.slice(0, LINES).map((line) => h("div", { class: kind(line) }, line || " ")),
    lines.length > LINES
      ? h("div", { class: "quiet" }, `… ${lines.length - LINES} more lines: runlore diff --full`)
      : null,
  );
}

/** The lines of a source with their numbers, which are no part of what is copied. */
export function sourceView(name, text) {
  const lines = text.replace(/\r?\n$/, "").split(/\r?\n/);
  return [
    h(
      "div",
      { class: "code numbered", tabindex: 0, role: "region", "aria-label": `Source of ${name}` },
      lines.slice(0, LINES).map((line) => h("div", {}, line || " ")),
    ),
    lines.length > LINES ? h("p", { class: "quiet" }, `The first ${LINES} of ${lines.length} lines: runlore show --source has all.`) : null,
  ];
}

/** The URL of a file. */
export function contentAddress(run, position, member = "") {
  return outer(`${runPath(run)}/artifacts/${position}/content${member ? `?member=${encodeURIComponent(member)}` : ""}`);
}

/** A picture; the server refuses one that is too large to be drawn. `lost()` hears that it can't be shown. */
export function pictureOf(run, position, member, name, lost) {
  const address = contentAddress(run, position, member);
  const src = `${address}${address.includes("?") ? "&" : "?"}drawn=true`;
  return h("img", { class: "picture", alt: name, loading: "lazy", src, onerror: lost });
}

/** Show the preview of a file in a node. */
export async function lookInto(node, run, position, member = "") {
  fill(node, h("p", { class: "quiet" }, "Reading …"));
  const look = (whole) => ask(`${runPath(run)}/artifacts/${position}/look`, { member, whole });
  let found;
  try {
    found = await look();
  } catch (error) {
    fill(node, h("p", { class: "quiet" }, error.message));
    return;
  }
  const cut = found.cut ? h("p", { class: "quiet" }, `Only the beginning of ${size(found.size)} is shown.`) : null;
  if (found.kind === "picture")
    fill(
      node,
      pictureOf(run, position, member, found.name, () =>
        fill(node, h("p", { class: "quiet" }, "This picture can't be read.")),
      ),
    );
  else if (found.kind === "audio" || found.kind === "video")
    fill(
      node,
      h(found.kind, {
        controls: true,
        preload: "metadata",
        style: "max-width:100%",
        "aria-label": found.name,
        src: contentAddress(run, position, member),
      }),
    );
  else if (found.kind === "histogram" || found.kind === "curve") {
    const plot = h("div", { class: "plot", style: "height:280px;max-width:560px", role: "img", "aria-label": found.name });
    fill(node, kept(found, plot), plot);
    await (found.kind === "curve" ? curvesOf : bars)(plot, found);
  } else if (found.kind === "matrix") {
    const plot = h("div", {
      class: "plot",
      style: "height:320px;max-width:560px",
      role: "img",
      "aria-label": `Heat map of ${found.name}`,
    });
    fill(node, kept(found, plot), plot, plain(found));
    await heatMap(plot, found);
  } else if (found.kind === "table") {
    fill(
      node,
      kept(found, () => node.querySelector(".scroll"), () => look(true)),
      h(
        "div",
        { class: "scroll", style: "max-height:420px", tabindex: 0, role: "region", "aria-label": found.name },
        h(
          "table",
          { class: "list" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              found.head.map((cell) => h("th", {}, cell)),
            ),
          ),
          h(
            "tbody",
            {},
            found.rows.map((row) =>
              h(
                "tr",
                {},
                row.map((cell) =>
                  typeof cell === "number"
                    ? h("td", { class: "number", title: String(cell) }, number(cell))
                    : h("td", {}, cell),
                ),
              ),
            ),
          ),
        ),
      ),
      found.count > found.rows.length
        ? h("p", { class: "quiet" }, `The first ${found.rows.length} rows of ${found.cut ? "many" : found.count}.`)
        : null,
    );
  } else if (found.kind === "none") fill(node, h("p", { class: "quiet" }, `Nothing can be shown of it: ${found.why}.`));
  else if (/\.(patch|diff)$/.test(found.name)) fill(node, diffView(found.text), cut);
  else
    fill(
      node,
      h("div", { class: "code output", tabindex: 0, role: "region", "aria-label": found.name }, found.text),
      cut,
    );
}

/** A button above what is shown of a file, to keep that, or all that `look()` finds. */
function kept(found, plot = null, look = () => found) {
  const rows = async () => {
    const whole = await look();
    if (whole.cut || !ROWS[whole.kind]) throw new Error("this table is too large for the page: download the file itself");
    return ROWS[whole.kind](whole);
  };
  return h("div", { class: "told" }, h("span"), keeper(found.name.replace(/\.(json|csv)$/, ""), rows, plot));
}

/** By kind of a preview the rows of its numbers, the head first. */
const ROWS = {
  table: ({ head, rows }) => [head, ...rows],
  histogram: ({ edges, counts }) => [["from", "to", "count"], ...counts.map((count, at) => [edges[at], edges[at + 1], count])],
  curve: ({ classes }) => [["name", "x", "y"], ...classes.flatMap(({ name, x, y }) => x.map((place, at) => [name, place, y[at]]))],
  matrix: (found) => [["true \\ predicted", ...labelsOf(found)], ...found.rows.map((row, at) => [labelsOf(found)[at], ...row])],
};

/** The labels of a matrix; the numbers of its rows where there is not one for each. */
function labelsOf(found) {
  const fits = Array.isArray(found.labels) && found.labels.length === found.rows.length;
  return found.rows.map((_, place) => (fits ? text(found.labels[place]) : String(place)));
}

async function heatMap(plot, found) {
  const labels = labelsOf(found);
  const places = labels.map((_, place) => place);
  const ticks = { tickvals: places, ticktext: labels.map((label) => escaped(label.slice(0, 30))) };
  const trace = {
    type: "heatmap",
    z: found.rows,
    x: places,
    y: places,
    text: found.rows.map((row) => row.map((value) => number(value))),
    texttemplate: labels.length <= 15 ? "%{text}" : "",
    colorscale: scale(),
    showscale: false,
    hovertemplate: "row %{y}, column %{x}: %{z}<extra></extra>",
  };
  await draw(plot, [trace], {
    hovermode: "closest",
    xaxis: { ...ticks, side: "bottom", title: { text: "predicted" } },
    yaxis: { ...ticks, autorange: "reversed", title: { text: "true" } },
    margin: { l: 60, r: 10, t: 10, b: 50 },
  });
}

async function bars(plot, { edges, counts }) {
  const trace = {
    type: "bar",
    x: counts.map((_, at) => (edges[at] + edges[at + 1]) / 2),
    width: counts.map((_, at) => edges[at + 1] - edges[at]),
    y: counts,
    marker: { color: accent() },
    hovertemplate: "%{x:.5~g}: %{y}<extra></extra>",
  };
  await draw(plot, [trace], { hovermode: "closest", bargap: 0, margin: { l: 50, r: 10, t: 10, b: 30 } });
}

/** Curves of classifiers, each with its area; or lines of any kind. */
async function curvesOf(plot, { curve, classes, x: across, y: upwards }) {
  const area = { roc: " (AUC ", pr: " (AP " }[curve];
  const traces = classes.map(({ name, x, y, area: value }, at) => ({
    type: "scatter",
    mode: "lines",
    x,
    y,
    name: escaped(area ? `${name}${area}${number(value)})` : name),
    line: { color: colourAt(at), dash: dashAt(at), shape: curve === "pr" ? "hv" : "linear" },
  }));
  const titles = { roc: ["false positive rate", "true positive rate"], pr: ["recall", "precision"] };
  const [right, up] = titles[curve] ?? [escaped(across), escaped(upwards)];
  const isShort = classes.length <= 3; // a legend above the chart leaves it its width
  await draw(plot, traces, {
    showlegend: true,
    ...(isShort && { legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" } }),
    hovermode: "closest",
    xaxis: { title: { text: right }, ...(area && { range: [0, 1.01] }) },
    yaxis: { title: { text: up }, ...(area && { range: [0, 1.05] }) },
    margin: { l: 50, r: 10, t: isShort ? 28 : 10, b: 40 },
  });
}

function plain(found) {
  const labels = labelsOf(found);
  return h(
    "details",
    {},
    h("summary", {}, "Numbers"),
    h(
      "table",
      { class: "list", style: "width:auto" },
      h(
        "tbody",
        {},
        found.rows.map((row, place) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, labels[place]),
            row.map((value) => h("td", { class: "number" }, number(value))),
          ),
        ),
      ),
    ),
  );
}
