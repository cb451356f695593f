// The widths of the table's columns: the page remembers those that somebody chose, by field.

import { h } from "./dom.js";
import { remember, remembered } from "./memory.js";

const LEAST = 48; // pixels
const MOST = 900;
const STEP = 16;

/** The width of a column: the one that was chosen, else the one that fits what it holds. */
export const widthOf = (column) => known()[column.field] ?? column.width;

/** The edge of a column's head, which is dragged; arrow keys move it, and a double click fits it to the contents again.
 *
 * `set(width)` shows another width.
 */
export function grip(column, set) {
  let width = widthOf(column);
  const move = (wanted) => {
    width = Math.round(Math.max(LEAST, Math.min(MOST, wanted)));
    set(width);
  };
  const drag = (event) => {
    event.preventDefault();
    const from = event.clientX - width;
    const follow = (moved) => move(moved.clientX - from);
    const end = () => {
      removeEventListener("pointermove", follow);
      keep(column.field, width);
    };
    addEventListener("pointermove", follow);
    addEventListener("pointerup", end, { once: true });
  };
  const fit = () => {
    move(column.width);
    keep(column.field, undefined);
  };
  const key = (event) => {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    move(width + step);
    keep(column.field, width);
  };
  return h("button", {
    type: "button",
    class: "grip",
    "aria-label": `Width of ${column.title}: arrow keys change it`,
    title: "Drag; a double click fits it",
    onpointerdown: drag,
    ondblclick: fit,
    onkeydown: key,
  });
}

function keep(field, width) {
  remember("widths", JSON.stringify({ ...known(), [field]: width }));
}

/** The widths that were chosen, by field. */
function known() {
  try {
    const widths = Object.entries(JSON.parse(remembered("widths", "{}")));
    return Object.fromEntries(widths.filter(([, width]) => width >= LEAST && width <= MOST));
  } catch {
    return {}; // whatever else wrote there
  }
}
