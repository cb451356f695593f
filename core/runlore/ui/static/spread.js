// The bands of groups: which middle and which edges are drawn of what the server tells of their curves.

import { h } from "./dom.js";

const SPREADS = {
  deviation: "mean ± standard deviation",
  interval: "mean ± half of its 95 % interval",
  error: "mean ± standard error",
  range: "median, lowest to highest",
};

/** The kind of bands in the state of the page. */
export const spreadIn = (state) => (Object.hasOwn(SPREADS, state.band ?? "") ? state.band : "deviation");

/** The middle and the edges of a band of a kind, at each place. */
export function spreadOf(band, kind) {
  if (kind === "range") return { middle: band.median, low: band.low, high: band.high };
  const error = () => band.deviation.map((value, at) => value / Math.sqrt(band.count[at]));
  const half = kind === "error" ? error() : band[kind];
  const beside = (sign) => band.mean.map((value, at) => value + sign * half[at]);
  return { middle: band.mean, low: beside(-1), high: beside(1), half };
}

/** How far a band reaches at a place, behind its middle. */
export function reach({ low, high, half }, at) {
  const brief = (value) => Number(value.toPrecision(half ? 2 : 4));
  return half ? ` ± ${brief(half[at])}` : ` (${brief(low[at])} … ${brief(high[at])})`;
}

/** A control for the kind of bands; `choose(kind)` hears another. */
export function spreadChoice(state, choose) {
  const current = spreadIn(state);
  const kinds = Object.entries(SPREADS);
  const onchange = (event) => choose(event.target.value);
  return h(
    "label",
    { class: "check" },
    "bands",
    h(
      "select",
      { "aria-label": "What bands show", onchange },
      kinds.map(([kind, title]) => h("option", { value: kind, selected: kind === current }, title)),
    ),
  );
}
