// Where the y axis of a chart ends, as somebody has typed it.

import { closePopover, h } from "./dom.js";

/** The range of Plotly's layout between two ends, of which null is where the curves end; null where none is set. */
export function within(ends, log) {
  const range = ends.map((end) => (log && end !== null ? (end > 0 ? Math.log10(end) : null) : end));
  const [low, high] = range;
  if (low === null && high === null) return null;
  return low !== null && high !== null && low >= high ? null : { range, autorange: low === null ? "min" : high === null ? "max" : false };
}

/** A form for both ends; `set(ends)` hears them, null for one that is left empty. */
export function endsForm(ends, set) {
  const edge = (name, end) =>
    h("input", { type: "text", inputmode: "decimal", placeholder: "auto", "aria-label": `y ${name}`, value: end ?? "" });
  const [low, high] = [edge("from", ends[0]), edge("to", ends[1])];
  const onsubmit = (event) => {
    event.preventDefault();
    const typed = [low, high].map((input) => (input.value.trim() ? Number(input.value.trim().replace(",", ".")) : null));
    if (typed.some(Number.isNaN)) return void (Number.isNaN(typed[0]) ? low : high).focus();
    closePopover();
    set(typed);
  };
  return h("form", { class: "row reach", onsubmit }, h("span", {}, "y from"), low, "to", high, h("button", { type: "submit" }, "Set"));
}
