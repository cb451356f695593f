// Parallel coordinates: a line for each run through the axes of several fields, with filters that combine.
//
// Drawn as plain lines: Plotly's own parcoords compiles code as it runs, which the page's security policy forbids.

import { ask } from "./api.js";
import { axisOf } from "./axes.js";
import { chooseOne } from "./choosers.js";
import { isWide } from "./classes.js";
import { colourAt, dashAt, placesOf } from "./colours.js";
import { fill, h, popover } from "./dom.js";
import { fieldsOf, isMetric, labels } from "./fields.js";
import { count, shortened, text } from "./format.js";
import { readKeyed, withKeyed, writeKeyed } from "./keyed.js";
import { accent, clear, draw, escaped, quiet } from "./plot.js";
import { classFields, fieldChoice, framed, rowsOf, saying, SELECTED, told } from "./relations.js";
import { barOf, coloursOf } from "./shades.js";

const BRUSH = 0.045; // half of the width of a filter's mark, as a part of the way to the next axis
const TICKS = 50; // pixels of an axis's ticks
const BESIDE = 160; // pixels of the margins and the bar of colours
const LETTER = 8.4; // pixels, of a title
const HINT = "Drag along an axis to filter by it, double-click to show all again.";

/** The fields that most of the runs have, of those that the table shows. */
async function shared({ where, all, sort }, fields) {
  const found = await ask("/api/runs", { where, all, sort: sort || null, columns: fields.slice(0, 40), limit: 200 });
  const has = (at) => found.rows.filter((row) => row.values[at] !== null).length;
  return fields.filter((_, at) => has(at) * 2 > found.rows.length);
}

/** `place` as that of Dots. */
export class Parallel {
  constructor(place) {
    Object.assign(this, framed("Parallel coordinates", () => this.found), { place, axes: [] });
  }

  async show() {
    const fields = classFields(this.place.keys, this.place.columns());
    const state = this.place.state();
    const asked = (this.asked = {});
    const chosen = state.dims.length ? state.dims.filter((field) => fields.includes(field)) : await this.suggested();
    if (asked !== this.asked) return;
    this.rows = null;
    this.axes = [];
    if (chosen.length < 2) {
      this.choosers(fields, chosen);
      clear(this.plot);
      return void fill(this.note, "Two axes at least: add one above.");
    }
    this.shade = fields.includes(state.pc) ? state.pc : chosen.at(-1);
    const found = await rowsOf(this.place.question(), chosen, [this.shade]);
    if (asked !== this.asked) return;
    Object.assign(this, { found, rows: found.rows });
    this.told = told(found, "all of these");
    const names = labels(chosen);
    const turned = state.dlog ?? [];
    this.axes = chosen.map((field, place) => {
      const values = this.rows.map((row) => row.values[place]);
      const log = isWide(values) !== turned.includes(field);
      return { ...axisOf(values, log), field, log, name: names[place] };
    });
    this.choosers(fields, chosen);
    if (this.rows.length) return this.recolour();
    fill(this.note, this.told);
    clear(this.plot);
  }

  /** The axes where none are chosen: of the table's columns those that most runs share, a metric last. */
  async suggested() {
    const fields = fieldsOf(this.place.keys, this.place.columns());
    const columns = this.place.columns().filter((field) => fields.includes(field));
    if (!columns.length) return [];
    const found = (await shared(this.place.question(), columns)).slice(0, 5);
    return [...found.filter((field) => !isMetric(field)), ...found.filter(isMetric)];
  }

  choosers(fields, chosen) {
    const again = (patch) => {
      this.place.save(patch);
      this.show();
    };
    const turned = this.place.state().dlog ?? [];
    const turn = (field) =>
      again({ dlog: turned.includes(field) ? turned.filter((item) => item !== field) : [...turned, field] });
    const names = labels(chosen);
    this.filtering = new Map(chosen.map((field, place) => [field, this.filterButton(field, this.axes[place])]));
    const button = (words, attributes, onclick) => h("button", { type: "button", onclick, ...attributes }, words);
    const chips = chosen.map((field, place) =>
      h(
        "span",
        { class: "chip" },
        names[place],
        button(
          "log",
          {
            "aria-label": `Logarithmic ${field}`,
            "aria-pressed": String(Boolean(this.axes[place]?.log)),
            title: "Logarithmic",
          },
          () => turn(field),
        ),
        this.filtering.get(field),
        button("×", { "aria-label": `Remove the axis ${field}` }, () =>
          again({ dims: chosen.filter((item) => item !== field) }),
        ),
      ),
    );
    const others = fields.filter((field) => !chosen.includes(field));
    this.place.controls([
      ...chips,
      chooseOne("Add an axis", others, null, (field) => again({ dims: [...chosen, field] })),
      chosen.length > 1
        ? fieldChoice(this.place, "pc", "colour", fields, this.shade ?? chosen.at(-1), () => this.show())
        : null,
    ]);
  }

  filterButton(field, axis) {
    const pressed = String(this.brushes().has(field));
    const about = { "aria-label": `Filter by ${field}`, "aria-pressed": pressed, title: "Filter by values" };
    return popover("filter", (box) => this.filterBox(box, axis), { ...about, disabled: !axis });
  }

  // Filters

  /** What each axis is filtered by: of numbers the least and the greatest, of texts those that pass. */
  brushes() {
    return readKeyed(this.place.state().brush);
  }

  /** Filter by some fields anew (null: not by this one), and select the runs that pass all filters. */
  brush(changes) {
    const brushes = withKeyed(this.brushes(), changes);
    this.place.save({ brush: writeKeyed(brushes) });
    for (const [field, button] of this.filtering) button.setAttribute("aria-pressed", String(brushes.has(field)));
    const passing = brushes.size ? this.rows.filter((_, at) => this.passes(at)) : [];
    this.place.select(passing.slice(0, SELECTED).map((row) => row.id));
    this.recolour();
  }

  passes(at) {
    const brushes = this.brushes();
    return this.axes.every(
      ({ field, passes }, place) => !brushes.has(field) || passes(this.rows[at].values[place], brushes.get(field)),
    );
  }

  /** Fields to filter by an axis without a mouse. */
  filterBox(box, axis) {
    box.classList.add("filter");
    const current = this.brushes().get(axis.field);
    const set = (passing) => this.brush([[axis.field, passing]]);
    if (axis.names) {
      const ticked = new Set(current ?? axis.names);
      const turn = (name) => (event) => {
        if (event.target.checked) ticked.add(name);
        else ticked.delete(name);
        set(ticked.size < axis.names.length ? [...ticked] : null);
      };
      const line = (name) =>
        h(
          "label",
          { class: "check" },
          h("input", { type: "checkbox", checked: ticked.has(name), onchange: turn(name) }),
          name,
        );
      return fill(box, axis.names.map(line));
    }
    const edges = [0, 1].map((end) => current?.[end] ?? axis.value(end));
    const edge = (end, words) => {
      const onchange = (event) => {
        const typed = Number(event.target.value);
        edges[end] = event.target.value.trim() && Number.isFinite(typed) ? typed : axis.value(end);
        set([...edges]);
      };
      return h(
        "label",
        { class: "check" },
        words,
        h("input", { type: "text", inputmode: "decimal", value: edges[end], onchange }),
      );
    };
    const clear = h("button", { type: "button", onclick: () => set(null) }, "All values");
    return fill(box, edge(0, "from"), edge(1, "to"), h("div", { class: "row" }, clear));
  }

  /** Filter by the axes that a box covers, or by the one where the drag began: {x, y} of the box in places and heights. */
  boxed({ x, y }) {
    const [low, high] = [...y].sort((one, other) => one - other);
    const [left, right] = [...x].sort((one, other) => one - other);
    const covered = this.axes.filter((_, place) => place >= left && place <= right);
    const nearest = this.axes[Math.max(0, Math.min(this.axes.length - 1, Math.round(this.begun ?? 0)))];
    const meant = covered.length && covered.length < this.axes.length ? covered : [nearest];
    const found = meant.map((axis) => [axis.field, axis.between(low, high)]).filter(([, passing]) => passing.length);
    this.brush(found);
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { rows, axes } = this;
    if (!rows?.length) return;
    const filtered = axes.some((axis) => this.brushes().has(axis.field));
    const passing = rows.filter((_, at) => this.passes(at)).length;
    const beyond = passing > SELECTED ? `, of which the first ${SELECTED} are selected` : "";
    const filterNote = `${count(passing, "run")} pass${passing === 1 ? "es" : ""} the filters${beyond}. `;
    fill(this.note, `${this.told} ${filtered ? filterNote : ""}${HINT}`);
    const colours = coloursOf(
      this.shade,
      rows.map((row) => row.values.at(-1)),
    );
    fill(this.legend, colours.legend);
    const plot = await draw(this.plot, [...this.traces(colours, filtered), ...barOf(colours)], this.layout());
    if (!plot || plot.listens) return;
    plot.listens = true;
    plot.addEventListener(
      "pointerdown",
      (event) => {
        const box = plot.querySelector(".nsewdrag")?.getBoundingClientRect();
        const [low, high] = this.reach();
        if (box) this.begun = low + ((event.clientX - box.left) / box.width) * (high - low);
      },
      true,
    );
    plot.on("plotly_selected", (event) => event?.range && this.boxed(event.range));
    plot.on("plotly_deselect", () => this.brush(this.axes.map((axis) => [axis.field, null])));
    plot.on("plotly_click", (event) => event.points[0].customdata && this.place.open(event.points[0].customdata));
  }

  /** Lines of the same colour as one trace; on top those that are selected, below those that a filter holds back. */
  traces(colours, filtered) {
    const selected = this.place.selected();
    const places = placesOf(selected);
    const pale = (at) => (filtered ? !this.passes(at) : selected.length > 0);
    const groups = new Map();
    const own = [];
    this.rows.forEach((row, at) => {
      const place = selected.indexOf(row.id);
      if (place >= 0 && !filtered) return own.push(this.lines([at], { color: colourAt(places[place]), width: 2.5 }, 1));
      const key = pale(at) ? "" : colours.places[at];
      groups.set(key, [...(groups.get(key) ?? []), at]);
    });
    const drawn = [...groups].sort(([one], [other]) => (one === "") - (other === "") || 0).reverse();
    const line = ([key, members]) =>
      this.lines(
        members,
        { color: key === "" ? quiet() : colourAt(key), dash: dashAt(key), width: key !== "" && filtered ? 1.8 : 1 },
        key !== "" ? (filtered ? 0.9 : 0.65) : 0.18,
      );
    return [...drawn.map(line), ...own];
  }

  /** What the picture shows along x, in places of axes: behind the last one its ticks have room. */
  reach() {
    const step = Math.max(20, (this.plot.clientWidth - BESIDE) / this.axes.length);
    return [-0.15, this.axes.length - 1 + Math.min(0.9, TICKS / step)];
  }

  layout() {
    const { axes } = this;
    const brushes = this.brushes();
    const line = (_, place) => ({
      type: "line",
      x0: place,
      x1: place,
      y0: 0,
      y1: 1,
      line: { color: quiet(), width: 1 },
      layer: "below",
    });
    const mark = (axis, place) =>
      axis.marks(brushes.get(axis.field)).map(([y0, y1]) => ({
        type: "rect",
        x0: place - BRUSH,
        x1: place + BRUSH,
        y0,
        y1,
        line: { color: accent(), width: 1.5 },
        fillcolor: accent(),
        opacity: 0.3,
      }));
    return {
      dragmode: "select",
      hovermode: "closest",
      selections: [],
      margin: { l: 40, r: 40, t: 40, b: 16 },
      xaxis: {
        tickvals: axes.map((_, place) => place),
        ticktext: titles(axes, this.plot.clientWidth).map(escaped),
        side: "top",
        tickangle: 0,
        range: this.reach(),
        fixedrange: true,
        showgrid: false,
        zeroline: false,
        tickfont: { size: 12 },
      },
      yaxis: { visible: false, range: [-0.05, 1.05], fixedrange: true },
      shapes: [...axes.map(line), ...axes.flatMap(mark)],
      annotations: axes.flatMap((axis, place) =>
        axis.ticks.map(([height, words]) => ({
          x: place,
          y: height,
          text: escaped(words),
          showarrow: false,
          xanchor: "left",
          xshift: 5,
          font: { size: 10 },
        })),
      ),
    };
  }

  lines(members, line, opacity) {
    const { rows, axes } = this;
    const each = (of) => members.flatMap((at) => [...axes.map((axis, place) => of(at, axis, place)), null]);
    const words = (at) =>
      [escaped(rows[at].name), ...axes.map((axis, place) => saying(axis.field, rows[at].values[place]))].join("<br>");
    return {
      type: "scatter",
      mode: "lines+markers",
      line,
      opacity,
      marker: { size: 4, color: line.color },
      selected: { marker: { opacity: 1 } },
      unselected: { marker: { opacity: 1 } },
      x: each((at, axis, place) => place),
      y: each((at, axis) => axis.heights[at]),
      customdata: each((at) => rows[at].id),
      text: each(words),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  close() {
    clear(this.plot);
  }
}

/** The titles of axes, each cut to the room between two: Plotly would tilt them, and leave out the first. */
function titles(axes, width) {
  const most = Math.max(6, Math.floor((width - BESIDE) / Math.max(1, axes.length - 1) / LETTER));
  const short = shortened(axes.map((axis) => axis.name), most);
  return axes.map(({ name }) => {
    const words = short.get(name);
    return words.length > most ? `${words.slice(0, most - 1)}…` : words;
  });
}
