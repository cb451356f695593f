// Colours of runs: a run keeps its colour as long as the page is open, whatever else is selected.

import { h } from "./dom.js";

// Told apart by the colour-blind, too: the bright and muted schemes of Paul Tol, "Colour Schemes", SRON/EPS/TN/09-002,
// in shades that both themes show.
const COLOURS = [
  "#4477aa",
  "#ee7733",
  "#228833",
  "#cc3355",
  "#44aacc",
  "#aa8800",
  "#aa4499",
  "#117766",
  "#8b5a2b",
  "#7f7f8f",
];
/** How lines are drawn that have the same colour. */
export const DASHES = ["solid", "dash", "dot", "dashdot"];

/** The dot of a place; a hollow one where its curve is dashed. */
export function dot(place) {
  return h("span", { class: place < COLOURS.length ? "dot" : "dot hollow", dot: colourAt(place) });
}

const places = new Map(); // run → its place among the colours

/** The colour of a place, the same for a run's dot and its curves. */
export const colourAt = (place) => COLOURS[place % COLOURS.length];
/** The dash of a place: of those with the same colour, each has another one. */
export const dashAt = (place) => DASHES[Math.floor(place / COLOURS.length) % DASHES.length];

/** Give runs that are shown together places: the ones that they have, else the first that none of the others has. */
export function placesOf(ids) {
  const taken = new Set();
  for (const id of ids) {
    if (!places.has(id)) continue;
    if (taken.has(places.get(id))) places.delete(id); // it met another run that has the same
    else taken.add(places.get(id));
  }
  let next = 0;
  return ids.map((id) => {
    if (!places.has(id)) {
      while (taken.has(next)) next++;
      taken.add(next);
      places.set(id, next);
    }
    return places.get(id);
  });
}
