// Colours of runs: a run keeps its colour as long as the page is open, whatever else is selected, or the one picked for it.

import { fill, h, offer, popover } from "./dom.js";
import { remember, remembered } from "./memory.js";

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
const NAMES = ["blue", "orange", "green", "red", "cyan", "ochre", "purple", "teal", "brown", "grey"];
/** How lines are drawn that have the same colour. */
export const DASHES = ["solid", "dash", "dot", "dashdot"];

/** The dot of a place; a hollow one where its curve is dashed. */
export function dot(place) {
  return h("span", { class: isDashed(place) ? "dot hollow" : "dot", dot: colourAt(place) });
}

const PICKED = "colours"; // the setting that has the colours of all runs that one was picked for
const MOST_PICKED = 300; // runs

const places = new Map(); // run → its place among the colours

/** The colour of a place, the same for a run's dot and its curves. A place may be a colour itself. */
export const colourAt = (place) => (typeof place === "string" ? place : COLOURS[place % COLOURS.length]);
/** The dash of a place: of those with the same colour, each has another one. */
export const dashAt = (place) => DASHES[isDashed(place) ? Math.floor(place / COLOURS.length) % DASHES.length : 0];
/** True for the place of a colour that one before it has, too. */
export const isDashed = (place) => place >= COLOURS.length;

/** Give runs that are shown together places: those of picked colours first, then the ones that they have, then free ones. */
export function placesOf(ids) {
  const own = picked();
  const taken = new Set();
  settle(ids.filter((id) => own.has(id)), taken, (id) => [own.get(id), COLOURS.length]); // of one colour, each has another dash
  settle(ids.filter((id) => !own.has(id)), taken, () => [0, 1]);
  return ids.map((id) => places.get(id));
}

/** Give runs, each with its `id`, their `place` anew; true where one has another than before. */
export function replaced(runs) {
  const places = placesOf(runs.map((run) => run.id));
  const isSame = runs.every((run, at) => run.place === places[at]);
  runs.forEach((run, at) => Object.assign(run, { place: places[at] }));
  return !isSame;
}

/** Give runs the places that they have, else the first that none of the others has, from one on in steps. */
function settle(ids, taken, from) {
  for (const id of ids) {
    const [first, step] = from(id);
    const has = places.get(id);
    if (taken.has(has) || has % step !== first % step) places.delete(id); // it met another run that has the same
    else taken.add(has);
  }
  for (const id of ids) {
    if (places.has(id)) continue;
    let [next, step] = from(id);
    while (taken.has(next)) next += step;
    taken.add(next);
    places.set(id, next);
  }
}

/** The colours that were picked: of runs, the last one picked last. */
function picked() {
  try {
    const found = JSON.parse(remembered(PICKED, "[]"));
    return new Map(found.filter(([, place]) => Object.hasOwn(COLOURS, place)));
  } catch {
    return new Map(); // whatever else wrote there
  }
}

/** Keep a colour for a run, whatever else is shown; null: the one that it has as usual. */
function pick(id, place) {
  const others = [...picked()].filter(([run]) => run !== id);
  const kept = place === null ? others : [...others, [id, place]].slice(-MOST_PICKED);
  places.delete(id);
  remember(PICKED, kept.length ? JSON.stringify(kept) : null);
}

/** The dot of a run as a button that offers the colours; `changed()` hears that another one was picked. */
export function dotButton(id, name, place, changed) {
  const button = popover(
    dot(place),
    (box, close) => {
      const choose = (chosen) => {
        close();
        button.focus();
        pick(id, chosen);
        changed();
      };
      const own = picked().get(id);
      const swatch = (colour, at) =>
        h(
          "button",
          { type: "button", "aria-label": NAMES[at], title: NAMES[at], "aria-pressed": String(at === own), onclick: () => choose(at) },
          dot(at),
        );
      box.classList.add("colours");
      fill(box, COLOURS.map(swatch), offer("As usual", () => {}, () => choose(null)));
    },
    { class: "plain pick", "aria-label": `Colour of ${name}`, title: "Pick a colour" },
  );
  return button;
}
