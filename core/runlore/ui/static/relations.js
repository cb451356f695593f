// Relations of params and metrics: a scatter plot and parallel coordinates, linked with the selection.

import { ask } from "./api.js";
import { chooseOne } from "./choosers.js";
import { colourAt, placesOf } from "./colours.js";
import { fill, h } from "./dom.js";
import { fieldsOf, isMetric, label, labels } from "./fields.js";
import { count, distinct, number, text } from "./format.js";
import { accent, clear, draw, escaped, quiet } from "./plot.js";

const WIDE = 50; // the largest value over the smallest, from which on an axis is logarithmic by itself
const MOST = 1000; // runs in one picture
const SHADES = ["#3b2f7f", "#3f5ba8", "#2f87b0", "#26a38f", "#5bb85d", "#b3b83a"]; // from low to high on the last axis

async function rowsOf(question, fields) {
  const { where, all, sort } = question;
  const { rows, total } = await ask("/api/runs", { where, all, sort: sort || null, columns: fields, limit: MOST });
  const complete = distinct(rows).filter((row) => row.values.every((value) => value !== null && value !== "NaN"));
  return { rows: complete, total, looked: rows.length };
}

/** Which runs are in a picture: of many only the first of the table. */
function told({ rows, total, looked }, what) {
  const beyond = total > looked ? `; of ${total} the first ${looked} of the table are looked at` : "";
  return `${count(rows.length, "run")} ${rows.length === 1 ? "has" : "have"} ${what}${beyond}.`;
}

/** The fields that most of the runs have, of those that the table shows. */
async function shared(question, fields) {
  const { where, all, sort } = question;
  const found = await ask("/api/runs", { where, all, sort: sort || null, columns: fields.slice(0, 40), limit: 200 });
  const has = (at) => found.rows.filter((row) => row.values[at] !== null).length;
  return fields.filter((_, at) => has(at) * 2 > found.rows.length);
}

/** A dot for each run. `place` has state(), save(patch), keys, question(), selected(), select(ids), open(id), columns(). */
export class Scatter {
  constructor(place) {
    this.place = place;
    this.plot = h("div", { class: "plot big" });
    this.note = h("p", { class: "quiet" });
    this.node = h(
      "div",
      { class: "charts", tabindex: 0, role: "region", "aria-label": "Scatter plot" },
      this.note,
      this.plot,
    );
    this.controls = [];
  }

  async show() {
    const fields = fieldsOf(this.place.keys, this.place.columns());
    const state = this.place.state();
    const [first, second] = preferred(this.place.columns(), fields);
    const x = fields.includes(state.sx) ? state.sx : second;
    const y = fields.includes(state.sy) ? state.sy : first;
    const shade = fields.includes(state.sc) ? state.sc : null;
    const again = (name) => (value) => {
      this.place.save({ [name]: value });
      this.show();
    };
    this.place.controls([
      chooseOne("x", fields, x, again("sx")),
      chooseOne("y", fields, y, again("sy")),
      chooseOne("colour", ["", ...fields], shade ?? "", again("sc")),
      this.flag("log x", "slogx"),
      this.flag("log y", "slogy"),
    ]);
    if (!x || !y) return void fill(this.note, "No run has params or metrics yet.");
    const asked = (this.asked = {});
    const found = await rowsOf(this.place.question(), shade ? [x, y, shade] : [x, y]);
    if (asked !== this.asked) return;
    this.rows = found.rows;
    fill(this.note, `${told(found, shade ? "all three" : "both")} Drag a box to select, click to open.`);
    Object.assign(this, { x, y, shade });
    await this.recolour();
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  flag(label, name) {
    return h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: this.place.state()[name] === "1",
        onchange: (event) => {
          this.place.save({ [name]: event.target.checked });
          this.show();
        },
      }),
      label,
    );
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { x, y } = this;
    if (!this.rows) return;
    const state = this.place.state();
    const selected = this.place.selected();
    const places = placesOf(selected);
    const [nameX, nameY] = labels([x, y]).map(escaped);
    const own = (row) => colourAt(places[selected.indexOf(row.id)]);
    const trace = {
      type: "scatter",
      mode: "markers",
      x: this.rows.map((row) => drawable(row.values[0])),
      y: this.rows.map((row) => drawable(row.values[1])),
      text: this.rows.map((row) => escaped(row.name)),
      customdata: this.rows.map((row) => row.id),
      hovertemplate: `%{text}<br>${nameX} %{x:.5~g}<br>${nameY} %{y:.5~g}<extra></extra>`,
      marker: {
        size: this.rows.map((row) => (selected.includes(row.id) ? 10 : 7)),
        line: { width: 0 },
        opacity: 0.85,
        ...(this.shade
          ? shaded(this.shade, this.rows)
          : { color: this.rows.map((row) => (selected.includes(row.id) ? own(row) : selected.length ? quiet() : accent())) }),
      },
    };
    const axis = (name, log) => ({
      title: { text: name, font: { size: 11 } },
      type: log === "1" ? "log" : undefined,
    });
    const plot = await draw(this.plot, [trace], {
      xaxis: axis(nameX, state.slogx),
      yaxis: axis(nameY, state.slogy),
      hovermode: "closest",
      dragmode: "select",
      margin: { l: 60, r: 14, t: 8, b: 44 },
    });
    if (!plot || plot.listens) return;
    plot.listens = true;
    plot.on("plotly_selected", (event) => {
      if (event?.points?.length) this.place.select(event.points.map((point) => point.customdata).slice(0, 50));
    });
    plot.on("plotly_click", (event) => this.place.open(event.points[0].customdata));
  }

  close() {
    clear(this.plot);
  }
}

/** The colours of dots by the value of a field: a scale for numbers, a colour for each text. */
function shaded(field, rows) {
  const values = rows.map((row) => row.values[2]);
  if (values.every((value) => typeof value === "number"))
    return {
      color: values,
      colorscale: "Cividis",
      showscale: true,
      colorbar: { title: { text: escaped(label(field)), font: { size: 11 } }, thickness: 10, outlinewidth: 0 },
    };
  const names = [...new Set(values.map(text))].sort();
  return { color: values.map((value) => colourAt(names.indexOf(text(value)))) };
}

/** A line for each run through the axes of several fields.
 *
 * Drawn as plain lines: Plotly's own parcoords compiles code as it runs, which the page's security policy forbids.
 */
export class Parallel {
  constructor(place) {
    this.place = place;
    this.plot = h("div", { class: "plot big" });
    this.note = h("p", { class: "quiet" });
    this.node = h(
      "div",
      { class: "charts", tabindex: 0, role: "region", "aria-label": "Parallel coordinates" },
      this.note,
      this.plot,
    );
  }

  async show() {
    const fields = fieldsOf(this.place.keys, this.place.columns());
    const state = this.place.state();
    const asked = (this.asked = {});
    const chosen = state.dims.length
      ? state.dims.filter((field) => fields.includes(field))
      : await this.suggested(fields);
    if (asked !== this.asked) return;
    this.rows = null;
    this.axes = [];
    if (chosen.length < 2) {
      this.choosers(fields, chosen);
      clear(this.plot);
      return void fill(this.note, "Two axes at least: add one above.");
    }
    const found = await rowsOf(this.place.question(), chosen);
    if (asked !== this.asked) return;
    this.rows = found.rows;
    const names = labels(chosen);
    const turned = this.place.state().dlog ?? [];
    this.axes = chosen.map((field, place) => {
      const values = this.rows.map((row) => row.values[place]);
      const log = isWide(values) !== turned.includes(field);
      return { ...axisOf(values, log), field, log, name: names[place] };
    });
    this.choosers(fields, chosen);
    fill(this.note, `${told(found, "all of these")} Drag a box over an axis to select.`);
    if (this.rows.length) await this.recolour();
    else clear(this.plot);
  }

  /** The axes where none are chosen: of the table's columns those that most runs share, a metric last. */
  async suggested(fields) {
    const columns = this.place.columns().filter((field) => fields.includes(field));
    if (!columns.length) return [];
    const common = await shared(this.place.question(), columns);
    const found = common.slice(0, 5);
    return [...found.filter((field) => !isMetric(field)), ...found.filter(isMetric)];
  }

  choosers(fields, chosen) {
    const save = (dims) => {
      this.place.save({ dims });
      this.show();
    };
    const turned = this.place.state().dlog ?? [];
    const turn = (field) => {
      const others = turned.filter((item) => item !== field);
      this.place.save({ dlog: turned.includes(field) ? others : [...turned, field] });
      this.show();
    };
    const names = labels(chosen);
    const chips = chosen.map((field, place) =>
      h(
        "span",
        { class: "chip" },
        names[place],
        h(
          "button",
          {
            type: "button",
            "aria-label": `Logarithmic ${field}`,
            "aria-pressed": String(Boolean(this.axes[place]?.log)),
            title: "Logarithmic",
            onclick: () => turn(field),
          },
          "log",
        ),
        h(
          "button",
          {
            type: "button",
            "aria-label": `Remove the axis ${field}`,
            onclick: () => save(chosen.filter((item) => item !== field)),
          },
          "×",
        ),
      ),
    );
    const others = fields.filter((field) => !chosen.includes(field));
    this.place.controls([...chips, chooseOne("Add an axis", others, null, (field) => save([...chosen, field]))]);
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { rows, axes } = this;
    if (!rows?.length) return;
    const selected = this.place.selected();
    const places = placesOf(selected);
    const last = axes.at(-1);
    const bins = Array.from({ length: SHADES.length }, () => []);
    const own = [];
    for (const [at, row] of rows.entries()) {
      const place = selected.indexOf(row.id);
      if (place >= 0) own.push([at, places[place]]);
      else bins[Math.max(0, Math.min(SHADES.length - 1, Math.floor(last.heights[at] * SHADES.length)))].push(at);
    }
    const traces = [
      ...bins.map((members, bin) =>
        this.lines(members, { color: selected.length ? quiet() : SHADES[bin], width: 1 }, selected.length ? 0.25 : 0.6),
      ),
      ...own.map(([at, place]) => this.lines([at], { color: colourAt(place), width: 2.5 }, 1)),
    ].filter((trace) => trace.x.length);
    const plot = await draw(this.plot, traces, {
      dragmode: "select",
      hovermode: "closest",
      margin: { l: 40, r: 40, t: 40, b: 16 },
      xaxis: {
        tickvals: axes.map((_, place) => place),
        ticktext: axes.map((axis) => escaped(axis.name)),
        side: "top",
        range: [-0.15, axes.length - 0.75],
        fixedrange: true,
        showgrid: false,
        zeroline: false,
        tickfont: { size: 12 },
      },
      yaxis: { visible: false, range: [-0.05, 1.05], fixedrange: true },
      shapes: axes.map((_, place) => ({
        type: "line",
        x0: place,
        x1: place,
        y0: 0,
        y1: 1,
        line: { color: quiet(), width: 1 },
        layer: "below",
      })),
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
    });
    if (!plot || plot.listens) return;
    plot.listens = true;
    plot.on("plotly_selected", (event) => {
      if (event?.points?.length)
        this.place.select([...new Set(event.points.map((point) => point.customdata))].slice(0, 50));
    });
    plot.on("plotly_click", (event) => this.place.open(event.points[0].customdata));
  }

  lines(members, line, opacity) {
    const { rows, axes } = this;
    const each = (of) => members.flatMap((at) => [...axes.map((axis, place) => of(at, axis, place)), null]);
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
      text: each(
        (at, axis, place) =>
          `${escaped(rows[at].name)}<br>${escaped(axis.name)} ${escaped(text(rows[at].values[place]))}`,
      ),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  close() {
    clear(this.plot);
  }
}

/** True for numbers over which a logarithm is the better scale, as of learning rates. */
const isWide = (values) =>
  values.length > 1 &&
  values.every((value) => typeof value === "number" && value > 0) &&
  Math.max(...values) >= WIDE * Math.min(...values);

/** The values of a field as heights from 0 to 1, and the ticks of its axis. */
function axisOf(values, log) {
  if (values.every((value) => typeof value === "number")) {
    const scale = log && values.every((value) => value > 0) ? [Math.log10, (value) => 10 ** value] : [Number, Number];
    const [into, back] = scale;
    const low = Math.min(...values.map(into));
    const span = Math.max(...values.map(into)) - low || 1;
    const few = [...new Set(values)];
    const ticks = few.length <= 6 ? few : [0, 0.25, 0.5, 0.75, 1].map((part) => back(low + part * span));
    return {
      heights: values.map((value) => (into(value) - low) / span),
      ticks: ticks.map((value) => [(into(value) - low) / span, number(Number(value.toPrecision(4)))]),
    };
  }
  const names = [...new Set(values.map(text))].sort();
  const height = (value) => (names.length < 2 ? 0.5 : names.indexOf(text(value)) / (names.length - 1));
  return { heights: values.map(height), ticks: names.slice(0, 24).map((name) => [height(name), name.slice(0, 18)]) };
}

/** A value for Plotly, without markup. */
const drawable = (value) => (typeof value === "string" ? escaped(value) : value);

function preferred(columns, fields) {
  const metric = columns.find(isMetric) ?? fields.find(isMetric) ?? fields[0];
  const param = columns.find((field) => field.startsWith("params")) ?? fields.find((field) => field !== metric);
  return [metric, param];
}
