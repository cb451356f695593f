// What stands above the charts of curves: the runs in their colours, and the field that these tell.

import { dot, dotButton } from "./colours.js";
import { h } from "./dom.js";
import { shortened } from "./format.js";

const LETTERS = 28; // of a name

/** The names of runs, each with its place and whether it is `hidden`; a click on one hides it or shows it again.
 *
 * `on` has hide(run, alone), `alone` for a double click, point(id), and where a click on a dot picks a colour, picked().
 */
export function runLegend(runs, on) {
  const short = shortened(runs.map((run) => run.name), LETTERS);
  return runs.map((run) => {
    const name = h(
      "button",
      {
        type: "button",
        class: "plain",
        title: `${run.name}: click to hide, double-click to show it alone`,
        "aria-pressed": String(!run.hidden),
        onclick: (event) => on.hide(run, event.detail > 1),
      },
      on.picked ? null : dot(run.place),
      short.get(run.name),
    );
    const pick = on.picked ? dotButton(run.id, run.name, run.place, on.picked) : null;
    return h("span", { class: "entry", onpointerenter: () => on.point(run.id), onpointerleave: () => on.point(null) }, pick, name);
  });
}
