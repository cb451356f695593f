// Values as classes: each by itself while they are few, numbers in intervals where they are many.

import { number, ordered, text } from "./format.js";

const WIDE = 50; // the largest value over the smallest, from which on an axis is logarithmic by itself
const FEW = 12; // different numbers that each are a class
const INTERVALS = 8;
const MOST = 30; // classes of texts; the rarest share the last

/** True for numbers over which a logarithm is the better scale, as of learning rates. */
export const isWide = (values) =>
  values.length > 1 &&
  values.every((value) => typeof value === "number" && value > 0) &&
  Math.max(...values) >= WIDE * Math.min(...values);

/** The classes of values in their order: their names, and `of(value)`, the place of a value among them. */
export function classesOf(values) {
  const numbers = values.every((value) => typeof value === "number");
  const few = [...new Set(numbers ? values : values.map(text))].sort((one, other) => ordered(one, other));
  if (numbers) return few.length > FEW ? intervals(few) : single(few, Number, number);
  return few.length > MOST ? frequent(values.map(text), few) : single(few, text, String);
}

function single(known, into, words) {
  const places = new Map(known.map((value, place) => [value, place]));
  return { names: known.map(words), of: (value) => places.get(into(value)) };
}

/** Intervals of equal width, of the logarithms where the values span far. */
function intervals(known) {
  const log = isWide(known);
  const into = log ? Math.log10 : Number;
  const low = into(known[0]);
  const width = (into(known.at(-1)) - low) / INTERVALS;
  const edge = (place) => number(Number((log ? 10 ** (low + place * width) : low + place * width).toPrecision(3)));
  const names = Array.from({ length: INTERVALS }, (_, place) => `${edge(place)} – ${edge(place + 1)}`);
  return { names, of: (value) => Math.min(INTERVALS - 1, Math.floor((into(value) - low) / width)), binned: true };
}

function frequent(texts, known) {
  const counts = new Map();
  for (const name of texts) counts.set(name, (counts.get(name) ?? 0) + 1);
  const kept = new Set([...known].sort((one, other) => counts.get(other) - counts.get(one)).slice(0, MOST - 1));
  const names = known.filter((name) => kept.has(name));
  const places = new Map(names.map((name, place) => [name, place]));
  return {
    names: [...names, `${known.length - names.length} others`],
    of: (value) => places.get(text(value)) ?? names.length,
  };
}

/** The median of numbers, of which there is one at least. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
