// Relations of params and metrics: a scatter plot and parallel coordinates, linked with the selection.

import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { distinct, number, text } from "./format.js";
import { accent, clear, colourAt, draw, escaped, quiet } from "./plot.js";

const MOST = 1000; // runs in one picture
const SHADES = ["#3b2f7f", "#3f5ba8", "#2f87b0", "#26a38f", "#5bb85d", "#b3b83a"]; // from low to high on the first axis

/** The fields that can be drawn: params, metrics, and numbers of whole runs. */
export function fieldsOf(keys) {
  const items = (table) => (keys[table] ?? []).map((item) => item.field);
  return [
    ...items("metrics").filter((field) => !/system\//.test(field)),
    ...items("params"),
    ...items("summary"),
    "duration",
  ];
}

async function rowsOf(question, fields) {
  const { rows, total } = await ask("/api/runs", {
    where: question.where,
    all: question.all,
    columns: fields,
    limit: MOST,
  });
  return { rows, total };
}

function chooser(label, fields, current, choose) {
  return h(
    "label",
    { class: "check" },
    label,
    h(
      "select",
      { "aria-label": label, style: "max-width:190px", onchange: (event) => choose(event.target.value) },
      fields.map((field) => h("option", { value: field, selected: field === current }, field)),
    ),
  );
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
    const fields = fieldsOf(this.place.keys);
    const state = this.place.state();
    const [first, second] = preferred(this.place.columns(), fields);
    const x = fields.includes(state.sx) ? state.sx : second;
    const y = fields.includes(state.sy) ? state.sy : first;
    const again = (name) => (value) => {
      this.place.save({ [name]: value });
      this.show();
    };
    this.controls = [
      chooser("x", fields, x, again("sx")),
      chooser("y", fields, y, again("sy")),
      this.flag("log x", "logx"),
      this.flag("log y", "logy"),
    ];
    this.place.controls(this.controls);
    if (!x || !y) return void fill(this.note, "No run has params or metrics yet.");
    const asked = (this.asked = {});
    const { rows, total } = await rowsOf(this.place.question(), [x, y]);
    if (asked !== this.asked) return;
    this.rows = distinct(rows).filter((row) => row.values.every((value) => value !== null));
    fill(
      this.note,
      `${this.rows.length} runs have both${total > MOST ? `; of ${total} the newest ${MOST} are looked at` : ""}. Drag a box to select, click to open.`,
    );
    Object.assign(this, { x, y });
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
    const trace = {
      type: "scatter",
      mode: "markers",
      x: this.rows.map((row) => drawable(row.values[0])),
      y: this.rows.map((row) => drawable(row.values[1])),
      text: this.rows.map((row) => escaped(row.name)),
      customdata: this.rows.map((row) => row.id),
      hovertemplate: "%{text}<br>x %{x}<br>y %{y}<extra></extra>",
      marker: {
        size: this.rows.map((row) => (selected.includes(row.id) ? 10 : 7)),
        line: { width: 0 },
        opacity: 0.85,
        color: this.rows.map((row) =>
          selected.includes(row.id) ? colourAt(selected.indexOf(row.id)) : selected.length ? quiet() : accent(),
        ),
      },
    };
    const axis = (field, log) => ({
      title: { text: escaped(label(field)), font: { size: 11 } },
      type: log === "1" ? "log" : undefined,
    });
    const plot = await draw(this.plot, [trace], {
      xaxis: axis(x, state.logx),
      yaxis: axis(y, state.logy),
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
    const fields = fieldsOf(this.place.keys);
    const state = this.place.state();
    const chosen = state.dims.length
      ? state.dims.filter((field) => fields.includes(field))
      : this.place
          .columns()
          .filter((field) => fields.includes(field))
          .slice(0, 5);
    const save = (dims) => {
      this.place.save({ dims });
      this.show();
    };
    this.place.controls([
      ...chosen.map((field) =>
        h(
          "span",
          { class: "chip" },
          label(field),
          h(
            "button",
            {
              type: "button",
              "aria-label": `Take ${field} off`,
              onclick: () => save(chosen.filter((item) => item !== field)),
            },
            "×",
          ),
        ),
      ),
      h(
        "select",
        {
          "aria-label": "Add an axis",
          style: "max-width:170px",
          onchange: (event) => save([...chosen, event.target.value]),
        },
        h("option", { value: "" }, "add an axis …"),
        fields.filter((field) => !chosen.includes(field)).map((field) => h("option", { value: field }, field)),
      ),
    ]);
    const asked = (this.asked = {});
    this.rows = null;
    if (chosen.length < 2) {
      clear(this.plot);
      return void fill(this.note, "Two axes at least: add one above.");
    }
    const { rows, total } = await rowsOf(this.place.question(), chosen);
    if (asked !== this.asked) return;
    this.rows = distinct(rows).filter((row) => row.values.every((value) => value !== null));
    this.axes = chosen.map((field, place) =>
      axisOf(
        field,
        this.rows.map((row) => row.values[place]),
      ),
    );
    fill(
      this.note,
      `${this.rows.length} runs have all of these${total > MOST ? `; of ${total} the newest ${MOST} are looked at` : ""}. Drag a box over an axis to select.`,
    );
    if (this.rows.length) await this.recolour();
    else clear(this.plot);
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
    const bins = Array.from({ length: SHADES.length }, () => []);
    const own = [];
    for (const [at, row] of rows.entries()) {
      const place = selected.indexOf(row.id);
      if (place >= 0) own.push([at, place]);
      else bins[Math.min(SHADES.length - 1, Math.floor(axes[0].heights[at] * SHADES.length))].push(at);
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
        ticktext: axes.map((axis) => escaped(label(axis.field))),
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
          `${escaped(rows[at].name)}<br>${escaped(label(axis.field))} ${escaped(text(rows[at].values[place]))}`,
      ),
      hovertemplate: "%{text}<extra></extra>",
    };
  }

  close() {
    clear(this.plot);
  }
}

/** The values of a field as heights from 0 to 1, and the ticks of its axis. */
function axisOf(field, values) {
  if (values.every((value) => typeof value === "number")) {
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    return {
      field,
      heights: values.map((value) => (value - low) / span),
      ticks: [0, 0.25, 0.5, 0.75, 1].map((part) => [part, number(low + part * span)]),
    };
  }
  const names = [...new Set(values.map(text))].sort();
  const height = (value) => (names.length < 2 ? 0.5 : names.indexOf(text(value)) / (names.length - 1));
  return {
    field,
    heights: values.map(height),
    ticks: names.slice(0, 24).map((name) => [height(name), name.slice(0, 18)]),
  };
}

/** A value for Plotly, without markup. */
const drawable = (value) => (typeof value === "string" ? escaped(value) : value);

function preferred(columns, fields) {
  const metric =
    columns.find((field) => field.startsWith("metrics")) ??
    fields.find((field) => field.startsWith("metrics")) ??
    fields[0];
  const param = columns.find((field) => field.startsWith("params")) ?? fields.find((field) => field !== metric);
  return [metric, param];
}

/** The label of a field: its key. */
export function label(field) {
  const quoted = /^\w+\["(.*)"\](.*)$/.exec(field);
  return quoted ? quoted[1] + quoted[2] : field.replace(/^(metrics|params|summary|tags)\./, "");
}
