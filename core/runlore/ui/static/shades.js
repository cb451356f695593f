// Colours of values: those of a scale for numbers, those of classes for others.

import { ask } from "./api.js";
import { isWide } from "./classes.js";
import { colourAt, dashAt, dot } from "./colours.js";
import { h } from "./dom.js";
import { label } from "./fields.js";
import { number, ordered, text } from "./format.js";
import { escaped, quiet } from "./plot.js";

const NAMED = 12; // values in a legend
const MOST = 1000; // runs of one answer
// From low to high ever lighter, so that the colour-blind can tell them apart, and seen on the ground of both themes.
const SHADES = ["#5353da", "#0071c2", "#0d81aa", "#00908a", "#269f10", "#a79401"];
const NO_NUMBERS = new Set([null, "NaN", "Infinity", "-Infinity"]); // as the server writes them

/** The colours of the values of a field.
 *
 * Of each value the place that `colourAt` knows; the bar by which Plotly tells those of numbers; a legend of classes;
 * and `key()`, the same as a legend with a scale for numbers. Missing values, and among numbers those that are none, are pale.
 */
export function coloursOf(field, values) {
  const title = label(field);
  const numbers = values.filter((value) => typeof value === "number");
  const isScale = numbers.length && values.every((value) => typeof value === "number" || NO_NUMBERS.has(value));
  return isScale ? scaled(title, values, numbers) : classed(title, values);
}

function classed(title, values) {
  const names = [...new Set(values.filter((value) => value !== null).map(text))].sort((one, other) => ordered(one, other));
  const places = values.map((value) => (value === null ? quiet() : names.indexOf(text(value))));
  const more = names.length > NAMED ? h("span", { class: "quiet" }, `and ${names.length - NAMED} more`) : null;
  const named = names.slice(0, NAMED).map((name, place) => h("span", {}, dot(place), name));
  const legend = [h("span", { class: "quiet" }, title), named, more, lacking(values.includes(null))];
  return { title, names, places, bar: null, legend, key: () => legend };
}

function scaled(title, values, known) {
  const log = isWide(known);
  const into = log ? Math.log10 : Number;
  const low = Math.min(...known.map(into));
  const span = Math.max(...known.map(into)) - low;
  const part = (value) => (span ? (into(value) - low) / span : 0.5);
  const shade = (value) => SHADES[Math.min(SHADES.length - 1, Math.floor(part(value) * SHADES.length))];
  const ticks = span ? [0, 0.25, 0.5, 0.75, 1].map((at) => low + at * span) : [low];
  const words = ticks.map((tick) => number(Number((log ? 10 ** tick : tick).toPrecision(3))));
  const bar = {
    cmin: span ? low : low - 1,
    cmax: span ? low + span : low + 1,
    colorscale: steps(),
    showscale: true,
    colorbar: {
      title: { text: escaped(title), font: { size: 11 }, side: "right" },
      thickness: 10,
      outlinewidth: 0,
      tickvals: ticks,
      ticktext: words,
    },
  };
  const lacks = lacking(known.length < values.length);
  const places = values.map((value) => (typeof value === "number" ? shade(value) : quiet()));
  return { title, names: [], places, bar, legend: lacks ? [lacks] : [], key: () => [scale(title, words, log), lacks] };
}

const lacking = (any) => (any ? h("span", { class: "quiet" }, dot(quiet()), "without") : null);

/** A scale of colours from its lowest to its highest value. */
function scale(title, words, log) {
  const [low, high] = [words[0], words.at(-1)];
  if (low === high) return h("span", {}, dot(colourAt(SHADES[3])), `${title} ${low}`);
  const steps = SHADES.map((colour) => h("i", { dot: colour }));
  return h("span", { class: "shades" }, h("span", { class: "quiet" }, `${title}${log ? " (log)" : ""}`), low, h("span", {}, steps), high);
}

/** The shades as a scale of steps, so that a dot has a colour of the bar. */
function steps() {
  return SHADES.flatMap((colour, place) => [
    [place / SHADES.length, colour],
    [(place + 1) / SHADES.length, colour],
  ]);
}

/** A trace without a point that brings the bar of `coloursOf` into a picture. */
export function barOf(colours) {
  const marker = colours?.bar && { ...colours.bar, color: [colours.bar.cmin] };
  return marker ? [{ type: "scatter", mode: "markers", x: [null], y: [null], marker, hoverinfo: "skip", showlegend: false }] : [];
}

/** Traces without a point that tell in a picture of lines what `coloursOf` has made. */
export function keyOf(colours) {
  const line = (name, place) => ({
    type: "scatter",
    mode: "lines",
    x: [null],
    y: [null],
    name: escaped(`${colours.title} ${name}`),
    line: { color: colourAt(place), dash: dashAt(place) },
    showlegend: true,
  });
  return colours.bar ? barOf(colours) : colours.names.slice(0, NAMED).map(line);
}

/** The colours of runs by a field, as of `coloursOf`; `of(run)` is the place of one. */
export async function shadesOf(field, ids) {
  const where = `id in ${JSON.stringify(ids)}`;
  const { rows } = await ask("/api/runs", { where, all: ["children", "archived"], columns: [field], limit: MOST });
  const values = new Map(rows.map((row) => [row.id, row.values[0]]));
  const colours = coloursOf(field, ids.map((id) => values.get(id) ?? null));
  return { ...colours, of: (id) => colours.places[ids.indexOf(id)] };
}
