// A heat map: the median of a metric for each pair of values of two fields.

import { classesOf, median } from "./classes.js";
import { fill } from "./dom.js";
import { fieldsOf, isMetric, labels } from "./fields.js";
import { count, number } from "./format.js";
import { clear, draw, escaped } from "./plot.js";
import { asTable, classFields, fieldChoice, framed, preferred, rowsOf, SELECTED, told } from "./relations.js";

const WIDTH = 58; // pixels of a cell that has room for a number
const SHORT = 20; // characters of a class's name beside the picture
const EMPTY = "rgba(128,128,128,.13)"; // visible in both themes

/** `place` as that of Dots. */
export class HeatMap {
  constructor(place) {
    Object.assign(this, framed("Heat map", () => this.found), { place });
  }

  async show() {
    const fields = classFields(this.place.keys, this.place.columns());
    const metrics = fieldsOf(this.place.keys, this.place.columns()).filter((field) => !field.startsWith("params"));
    const state = this.place.state();
    const first = preferred(this.place.columns(), fields);
    const x = fields.includes(state.hx) ? state.hx : first.params.find((field) => field !== state.hy);
    const y = fields.includes(state.hy) ? state.hy : first.params.find((field) => field !== x);
    const of = metrics.includes(state.hm)
      ? state.hm
      : (metrics.find((field) => field === first.metric && isMetric(field)) ?? metrics[0]);
    const again = () => this.show();
    this.place.controls([
      fieldChoice(this.place, "hx", "x", fields, x, again),
      fieldChoice(this.place, "hy", "y", fields, y, again),
      fieldChoice(this.place, "hm", "median of", metrics, of, again),
    ]);
    if (!x || !y || !of) return this.nothing("A heat map needs two params and a metric.");
    const asked = (this.asked = {});
    const found = await rowsOf(this.place.question(), [x, y, of]);
    if (asked !== this.asked) return;
    found.rows = found.rows.filter((row) => typeof row.values[2] === "number");
    if (!found.rows.length) return this.nothing(told(found, "all three"));
    await this.picture([x, y, of], found);
  }

  nothing(words) {
    fill(this.note, words);
    fill(this.below);
    clear(this.plot);
  }

  async picture(fields, found) {
    const [across, up] = [0, 1].map((at) => classesOf(found.rows.map((row) => row.values[at])));
    const cells = up.names.map(() => across.names.map(() => []));
    for (const row of found.rows) cells[up.of(row.values[1])][across.of(row.values[0])].push(row);
    const values = (cell) => cell.map((row) => row.values[2]);
    const middle = cells.map((line) => line.map((cell) => (cell.length ? median(values(cell)) : null)));
    const empty = cells.flat().filter((cell) => !cell.length).length;
    const [nameX, nameY, nameZ] = labels(fields);
    const hint = empty ? ` ${empty} of ${count(across.names.length * up.names.length, "cell")} are empty (grey).` : "";
    fill(this.note, `${told(found, "all three")}${hint} Click a cell to select its runs.`);
    const says = (cell, at, place) => {
      const where = `${escaped(nameX)} ${escaped(across.names[at])}<br>${escaped(nameY)} ${escaped(up.names[place])}`;
      if (!cell.length) return `${where}<br>no run`;
      const range = [Math.min(...values(cell)), Math.max(...values(cell))].map(number).join(" … ");
      const more = cell.length > 1 ? `<br>${range}` : "";
      return `${where}<br>median ${number(middle[place][at])} of ${count(cell.length, "run")}${more}`;
    };
    const roomy = across.names.length * WIDTH < this.plot.clientWidth - 160;
    const trace = {
      type: "heatmap",
      z: middle,
      text: middle.map((line) => line.map((value) => (value === null ? "" : number(Number(value.toPrecision(3)))))),
      customdata: cells.map((line, place) => line.map((cell, at) => says(cell, at, place))),
      texttemplate: roomy ? "%{text}" : "",
      hovertemplate: "%{customdata}<extra></extra>",
      hoverongaps: true,
      colorscale: "Cividis",
      xgap: 2,
      ygap: 2,
      colorbar: { title: { text: escaped(nameZ), side: "right", font: { size: 11 } }, thickness: 10, outlinewidth: 0 },
    };
    Object.assign(this, { cells, found });
    const short = (cell, at, place) => (cell.length ? `${number(middle[place][at])} (${cell.length})` : "–");
    const lines = up.names.map((name, place) => [name, ...cells[place].map((cell, at) => short(cell, at, place))]);
    fill(this.below, asTable([`${nameY} \\ ${nameX}`, ...across.names], lines.reverse()));
    const plot = await draw(this.plot, [trace], {
      xaxis: axis(nameX, across.names),
      yaxis: axis(nameY, up.names),
      hovermode: "closest",
      dragmode: false,
      plot_bgcolor: EMPTY,
      margin: { l: 60, r: 14, t: 8, b: 44 },
    });
    if (!plot || plot.listens) return;
    plot.listens = true;
    plot.on("plotly_click", ({ points: [{ x, y }] }) => this.choose(this.cells[y]?.[x] ?? []));
  }

  choose(rows) {
    if (rows.length) this.place.select(rows.slice(0, SELECTED).map((row) => row.id));
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Nothing to do: its colours are those of the metric. */
  recolour() {}

  close() {
    clear(this.plot);
  }
}

function axis(title, names) {
  const elided = (name) => escaped(name.length > SHORT ? `${name.slice(0, SHORT - 1)}…` : name);
  return {
    title: { text: escaped(title), font: { size: 11 } },
    tickvals: names.map((_, place) => place),
    ticktext: names.map(elided),
    range: [-0.5, names.length - 0.5],
    showgrid: false,
    zeroline: false,
    fixedrange: true,
  };
}
