// What the curves of all charts have at the place of the pointer: a line in each chart, and a box of values beside it.

import { dot } from "./colours.js";
import { fill, h } from "./dom.js";
import { number, shortened } from "./format.js";

const ROWS = 14; // of the box; the nearest to the pointer
const LETTERS = 26; // of a name
const APART = 14; // pixels between the pointer and the box

/** Follows the pointer over some cards: `cards()` returns them, `heard(run)` hears which run is nearest, or null. */
export class Hover {
  constructor(cards, heard) {
    this.cards = cards;
    this.heard = heard;
    this.box = h("div", { class: "hover hidden", role: "presentation" });
  }

  /** Follow the pointer over the plot of a card. */
  watch(card) {
    card.plot.addEventListener("pointermove", (event) => this.move(card, event));
    card.plot.addEventListener("pointerleave", () => this.leave());
  }

  move(card, event) {
    const axes = card.plot._fullLayout;
    if (event.buttons || !axes?.xaxis?.p2l || !card.data) return this.leave();
    const frame = card.plot.getBoundingClientRect();
    const right = event.clientX - frame.left - axes.xaxis._offset;
    const down = event.clientY - frame.top - axes.yaxis._offset;
    if (right < 0 || right > axes.xaxis._length || down < 0 || down > axes.yaxis._length) return this.leave();
    const { along } = card;
    const end = axes.xaxis.p2l(right);
    const place = along.isTime ? along.place(new Date(end).toISOString().replace(/[TZ]/g, " ")) : along.place(end);
    for (const other of this.cards()) mark(other, place);
    const found = valuesAt(card, place);
    const height = (value) => axes.yaxis.l2p(axes.yaxis.type === "log" ? Math.log10(value) : value);
    const away = ({ y }) => (typeof y === "number" ? Math.abs(height(y) - down) || 0 : Infinity);
    const nearest = found.reduce((best, item) => (best && away(best) <= away(item) ? best : item), null);
    this.show(event, along, found, nearest);
    this.heard(nearest?.run ?? null);
  }

  show(event, along, found, nearest) {
    if (!found.length) return this.leave();
    const title = along.text((nearest ?? found[0]).x);
    if (!this.box.isConnected) document.body.append(this.box);
    found.sort((one, other) => rank(other.y) - rank(one.y));
    const at = Math.max(0, Math.min(found.indexOf(nearest) - ROWS / 2, found.length - ROWS));
    const rest = found.length - ROWS;
    const short = shortened(found.map((item) => item.name), LETTERS);
    fill(
      this.box,
      h("b", {}, `${along.isTime ? "" : `${along.isMetric ? along.title : along.name} `}${title}`),
      found.slice(at, at + ROWS).map((item) =>
        h(
          "div",
          { class: item === nearest ? "nearest" : "" },
          dot(item.place),
          h("span", { class: "who" }, short.get(item.name)),
          item.metric ? h("span", { class: "metric quiet" }, item.metric) : null,
          along.text(item.x) === title ? null : h("span", { class: "quiet" }, along.text(item.x)),
          h("span", { class: "number" }, item.y === null ? "NaN" : number(item.y), item.more ?? ""),
        ),
      ),
      rest > 0 ? h("span", { class: "quiet" }, `and ${rest} more`) : null,
    );
    this.box.classList.remove("hidden");
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const left = event.clientX + APART + width < innerWidth ? event.clientX + APART : event.clientX - APART - width;
    this.box.style.left = `${Math.max(4, left)}px`;
    this.box.style.top = `${Math.max(4, Math.min(event.clientY + APART, innerHeight - height - 4))}px`;
  }

  leave() {
    this.box.classList.add("hidden");
    for (const card of this.cards()) card.mark?.classList.add("hidden");
    this.heard(null);
  }

  close() {
    this.box.remove();
  }
}

const rank = (value) => (typeof value === "number" ? value : -Infinity);

/** Draw the line of a place in a card; none where the place lies outside of what it shows. */
function mark(card, place) {
  const axis = card.plot._fullLayout?.xaxis;
  if (!axis?.d2p || !card.data) return;
  const right = axis.d2p(card.along.isTime ? card.along.end(place) : place);
  if (!card.mark?.isConnected) card.plot.append((card.mark = h("div", { class: "mark" })));
  card.mark.classList.toggle("hidden", !(right >= 0 && right <= axis._length));
  card.mark.style.transform = `translateX(${axis._offset + right}px)`;
}

/** What each curve of a card has at a place: its point that lies nearest, if the place lies between its ends. */
function valuesAt(card, place) {
  return card.known().flatMap(({ run, name, metric, place: own, x, y, more }) => {
    const low = typeof x[0] === "number" ? x[0] : Infinity;
    const slack = (x.at(-1) - low) * 0.01;
    if (!x.length || place < low - slack || place > x.at(-1) + slack) return [];
    const at = nearestIn(x, place);
    return [{ run, name, metric, place: own, x: x[at], y: y[at], more: more?.(at) }];
  });
}

/** The index of the number in a rising list that lies nearest. */
export function nearestIn(list, wanted) {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low && wanted - list[low - 1] <= list[low] - wanted ? low - 1 : low;
}
