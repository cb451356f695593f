// Traces for Plotly, made of the server's answers: lines, smoothed lines, marks of NaN, bands.

import { colourAt, dashAt } from "./colours.js";
import { escaped } from "./plot.js";
import { keyOf } from "./shades.js";
import { spreadOf } from "./spread.js";

const LARGEST = 1e300; // Plotly finds no scale for larger values
const FAINT = 0.25; // the opacity of the points behind a smoothed line

/** Curves of runs in their colours; behind a smoothed one the points as they are are faint. `along` places x.
 *
 * In a chart of several metrics each curve has the `dash` of its metric.
 */
export function lines(curves, runs, along) {
  return curves.flatMap((curve) => {
    const run = runs.find((item) => item.id === curve.run);
    if (!run || run.hidden) return [];
    const line = { color: colourAt(run.place), width: 1.6, dash: curve.dash ?? dashAt(run.place) };
    const base = {
      name: escaped(curve.dash ? `${run.name} ${curve.key}` : run.name),
      meta: run.id,
      type: "scatter",
      mode: curve.x.length < 2 ? "markers" : "lines",
      connectgaps: false,
      marker: { color: line.color },
      line,
    };
    const x = along(curve.x);
    const y = curve.y.map(drawable);
    const marks = gaps(x, y, base);
    if (!curve.smoothed) return [{ ...base, x, y }, ...marks];
    return [
      { ...base, x, y, line: { ...line, width: 1 }, opacity: FAINT },
      { ...base, x: along(curve.smoothed.x), y: curve.smoothed.y.map(drawable) },
      ...marks,
    ];
  });
}

const LINE = 19; // pixels of a line of a legend

/** What a chart has as a file of its own: its name, and whose curve is whose, or the `shades` of a field. */
export function legended(name, data, layout, shades) {
  const isCurve = (trace) => Boolean(trace.name) && !trace.missing && trace.opacity === undefined;
  const drawn = data.map((trace) => ({ ...trace, showlegend: !shades && isCurve(trace) }));
  const key = shades ? keyOf(shades) : [];
  const names = [...drawn, ...key].filter((trace) => trace.showlegend).map((trace) => trace.name);
  const right = 60 + 7 * Math.min(40, Math.max(8, ...names.map((text) => text.length)));
  const title = { text: escaped(name), font: { size: 13 }, x: 0.02, xanchor: "left", y: 1, yanchor: "top", yref: "container", pad: { t: 8 } };
  const margin = { ...layout.margin, t: 34, r: right };
  const legend = { x: 1.02, xanchor: "left", y: 1, font: { size: 11 } };
  const down = 28 + Math.max(0, LINE * names.length - 140);
  return { data: [...drawn, ...key], layout: { title, margin, legend, showlegend: true }, right, down };
}

const drawable = (value) => (typeof value !== "number" || Math.abs(value) > LARGEST ? null : value);

/** Marks where a curve has no finite value, at the height of the value before: NaN must not look like nothing. */
function gaps(x, y, base) {
  const places = y.flatMap((value, place) => (value === null && y[place - 1] !== null ? [place] : []));
  if (!places.length) return [];
  const heights = places.map((place) => y[place - 1] ?? y.find((value) => value !== null) ?? 0);
  const marker = { ...base.marker, symbol: "triangle-up", size: 7 };
  return [{ ...base, mode: "markers", marker, x: places.map((place) => x[place]), y: heights, missing: true }];
}

/** The range of y: around the value of a constant curve, for which Plotly's own would be far off.
 *
 * Without outliers it is that of all but the lowest and the highest twentieth of the values, where these are far away.
 */
export function upright(traces, log, outliers) {
  const values = traces.flatMap(({ y }) => y.filter((value) => typeof value === "number")).sort((one, other) => one - other);
  const low = values[0];
  const high = values.at(-1);
  if (!log && values.length && low === high) {
    const half = Math.abs(low) * 0.1 || 1;
    return { range: [low - half, low + half], autorange: false };
  }
  if (outliers || values.length < 20) return { autorange: true };
  const [bottom, top] = [0.05, 0.95].map((part) => values[Math.round(part * (values.length - 1))]);
  const room = (top - bottom) * 1.5;
  const range = [Math.max(low, bottom - room), Math.min(high, top + room)];
  if (range[0] >= range[1] || (log && range[0] <= 0)) return { autorange: true };
  const edge = (range[1] - range[0]) * 0.05;
  return { range: log ? range.map(Math.log10) : [range[0] - edge, range[1] + edge], autorange: false };
}

/** The middle of groups with a band around it, of a kind of `spread.js`. */
export function bands(groups, along, order, kind) {
  return groups.flatMap((group) => {
    const place = Math.max(0, order.indexOf(JSON.stringify(group.by)));
    const colour = colourAt(place);
    const x = along(group.x);
    const edge = { x, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    const { middle, low, high } = spreadOf(group, kind);
    return [
      { ...edge, y: low },
      { ...edge, y: high, fill: "tonexty", fillcolor: `${colour}2e` },
      {
        x,
        y: middle,
        name: `${escaped(group.dash ? `${group.name} ${group.key}` : group.name)} (${group.runs}${group.of > group.runs ? ` of ${group.of}` : ""})`,
        type: "scatter",
        mode: "lines",
        line: { color: colour, width: 1.8, dash: group.dash ?? dashAt(place) },
      },
    ];
  });
}

/** The order of metrics: those of the model's quality first, those of the training's progress later; 2 before 10. */
export function byUse(one, other) {
  const rank = (key) =>
    /^system\//.test(key)
      ? 3
      : /(_time|_seconds|_runtime|_per_second|learning_rate|grad_norm)$|^lr|epoch$/.test(key)
        ? 2
        : /val|test|eval/.test(key)
          ? 0
          : 1;
  return rank(one) - rank(other) || one.localeCompare(other, "en", { numeric: true });
}
