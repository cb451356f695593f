// The axes of parallel coordinates: where values lie on them, and which of them a filter lets through.

import { number, ordered, text } from "./format.js";

const TICKS = 24; // texts that an axis names

/** An axis of values: `heights` from 0 to 1, `ticks`, and what filters need.
 *
 * `names` are the texts of an axis of texts, `value(height)` is that of numbers. `between(low, high)` is the filter for
 * a stretch of heights, `passes(value, filter)` applies it, and `marks(filter)` are the stretches that it covers.
 */
export function axisOf(values, log) {
  return values.every((value) => typeof value === "number") ? numeric(values, log) : textual(values.map(text));
}

function numeric(values, log) {
  const [into, back] =
    log && values.every((value) => value > 0) ? [Math.log10, (value) => 10 ** value] : [Number, Number];
  const low = Math.min(...values.map(into));
  const span = Math.max(...values.map(into)) - low || 1;
  const height = (value) => (into(value) - low) / span;
  const value = (at) => {
    if (at <= 0) return Math.min(...values);
    return at >= 1 ? Math.max(...values) : Number(back(low + at * span).toPrecision(4));
  };
  const few = [...new Set(values)];
  const ticks = few.length <= 6 ? few : [0, 0.25, 0.5, 0.75, 1].map((part) => back(low + part * span));
  const clipped = (at) => Math.max(-0.03, Math.min(1.03, at));
  return {
    heights: values.map(height),
    ticks: ticks.map((tick) => [height(tick), number(Number(tick.toPrecision(4)))]),
    value,
    between: (from, to) => [value(from), value(to)],
    passes: (given, [from, to]) => given >= from && given <= to,
    marks: (filter) => (filter ? [filter.map(height).map(clipped)] : []),
  };
}

function textual(texts) {
  const names = [...new Set(texts)].sort((one, other) => ordered(one, other));
  const height = (name) => (names.length < 2 ? 0.5 : names.indexOf(name) / (names.length - 1));
  const half = 0.4 / Math.max(2, names.length);
  return {
    heights: texts.map(height),
    ticks: names.slice(0, TICKS).map((name) => [height(name), name.slice(0, 18)]),
    names,
    between: (from, to) => names.filter((name) => height(name) >= from && height(name) <= to),
    passes: (given, filter) => filter.includes(text(given)),
    marks: (filter) =>
      (filter ?? []).filter((name) => names.includes(name)).map((name) => [height(name) - half, height(name) + half]),
  };
}
