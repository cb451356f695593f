// Traces for Plotly, made of the server's answers: lines, smoothed lines, bands.

import { colourAt, dashAt, escaped } from "./plot.js";

const LARGEST = 1e300; // Plotly finds no scale for larger values

/** Curves of runs in their colours; behind a smoothed one the raw values are faint. */
export function lines(curves, runs, along, smooth) {
  return curves.flatMap((curve) => {
    const place = runs.findIndex((run) => run.id === curve.run);
    const line = { color: colourAt(place), width: 1.6, dash: dashAt(place) };
    const base = {
      x: along(curve.x),
      name: escaped(runs[place]?.name ?? curve.name),
      type: "scatter",
      mode: curve.x.length < 2 ? "markers" : "lines",
      connectgaps: false,
    };
    const y = curve.y.map((value) => (Math.abs(value) > LARGEST ? null : value));
    if (!smooth || curve.x.length < 3) return [{ ...base, y, line, marker: { color: line.color } }];
    return [
      { ...base, y, line: { ...line, width: 1 }, opacity: 0.25, hoverinfo: "skip" },
      { ...base, y: smoothed(y, smooth), line },
    ];
  });
}

/** Exponential moving average, corrected for its start; gaps stay gaps. */
function smoothed(values, weight) {
  let sum = 0;
  let total = 0;
  return values.map((value) => {
    if (typeof value !== "number") return null;
    sum = sum * weight + value * (1 - weight);
    total = total * weight + (1 - weight);
    return sum / total;
  });
}

/** The range of y: around the value of a constant curve, for which Plotly's own would be far off. */
export function upright(traces, log) {
  let low = Infinity;
  let high = -Infinity;
  for (const { y } of traces)
    for (const value of y)
      if (typeof value === "number") {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
  if (log || low !== high) return { autorange: true };
  const half = Math.abs(low) * 0.1 || 1;
  return { range: [low - half, low + half], autorange: false };
}

export function bands(groups, along, order) {
  return groups.flatMap((group) => {
    const place = Math.max(0, order.indexOf(JSON.stringify(group.by)));
    const colour = colourAt(place);
    const x = along(group.x);
    const edge = { x, type: "scatter", mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
    const beside = (sign) => group.mean.map((value, at) => value + sign * group.deviation[at]);
    return [
      { ...edge, y: beside(-1) },
      { ...edge, y: beside(1), fill: "tonexty", fillcolor: `${colour}2e` },
      {
        x,
        y: group.mean,
        name: `${escaped(group.name)} (${group.runs}${group.of > group.runs ? ` of ${group.of}` : ""})`,
        type: "scatter",
        mode: "lines",
        line: { color: colour, width: 1.8, dash: dashAt(place) },
      },
    ];
  });
}

/** The order of metrics: those of the model's quality first, those of the training's progress later. */
export function byUse(one, other) {
  const rank = (key) =>
    /^system\//.test(key)
      ? 3
      : /(_time|_seconds|_runtime|_per_second|learning_rate|grad_norm)$|^lr|epoch$/.test(key)
        ? 2
        : /val|test|eval/.test(key)
          ? 0
          : 1;
  return rank(one) - rank(other) || one.localeCompare(other);
}
