// Box plots: how a metric is spread among the runs of each value of a field, with the runs as dots.

import { classesOf, median } from "./classes.js";
import { fill } from "./dom.js";
import { Dots } from "./dots.js";
import { fieldsOf, labels } from "./fields.js";
import { number } from "./format.js";
import { accent, clear, escaped } from "./plot.js";
import { asTable, classFields, fieldChoice, flag, preferred } from "./relations.js";

const SPREAD = 0.5; // of the dots beside each other, as a part of a box's place
const GOLDEN = 0.618; // its multiples are spread evenly, whatever their number
const FEW = 5; // runs below which a box tells less than its dots

export class Boxes extends Dots {
  constructor(place) {
    super(place, "Box plot");
  }

  async show() {
    const { place } = this;
    const classes = classFields(place.keys, place.columns());
    const fields = fieldsOf(place.keys, place.columns());
    const state = place.state();
    const first = preferred(place.columns(), fields);
    const by = classes.includes(state.bx) ? state.bx : first.params[0];
    const of = fields.includes(state.bm) ? state.bm : first.metric;
    const shade = classes.includes(state.bc) ? state.bc : null;
    const again = () => this.show();
    place.controls([
      fieldChoice(place, "bm", "of", fields, of, again),
      fieldChoice(place, "bx", "by", classes, by, again),
      fieldChoice(place, "bc", "colour", ["", ...classes], shade ?? "", again),
      flag(place, "blogy", "log y", again),
    ]);
    await this.load([of, by], shade, (row) => typeof row.values[0] === "number");
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { rows } = this;
    if (!rows?.length) return void clear(this.plot);
    const classes = classesOf(rows.map((row) => row.values[1]));
    const places = rows.map((row) => classes.of(row.values[1]));
    const members = classes.names.map((_, place) => rows.filter((_, at) => places[at] === place));
    const [nameOf, nameBy] = labels(this.fields);
    const lines = classes.names.map((name, at) => [name, ...summary(members[at])]);
    fill(this.below, asTable([nameBy, "runs", "lowest", "median", "highest"], lines));
    const title = (words) => ({ text: escaped(words), font: { size: 11 } });
    const xaxis = {
      title: title(nameBy),
      tickvals: classes.names.map((_, place) => place),
      ticktext: classes.names.map((name, place) => `${escaped(name)}<br>n = ${members[place].length}`),
      range: [-0.6, classes.names.length - 0.4],
      showgrid: false,
      zeroline: false,
    };
    const yaxis = { title: title(nameOf), type: this.place.state().blogy === "1" ? "log" : undefined };
    const across = rows.map((_, at) => places[at] + (((at * GOLDEN) % 1) - 0.5) * SPREAD);
    const up = rows.map((row) => row.values[0]);
    await this.picture(across, up, { xaxis, yaxis, margin: { l: 60, r: 14, t: 8, b: 56 } }, members.map(box));
  }
}

/** A box; of few runs only its median, as quartiles of so few say nothing. */
function box(rows, place) {
  const values = rows.map((row) => row.values[0]);
  const line = { color: accent(), width: 1.5 };
  const middle = { y: values.length ? [median(values), median(values)] : [], x: [place - 0.3, place + 0.3] };
  if (rows.length < FEW) return { type: "scatter", mode: "lines", line, hoverinfo: "skip", ...middle };
  return {
    type: "box",
    y: values,
    x: values.map(() => place),
    width: 0.6,
    boxpoints: false,
    line,
    fillcolor: "rgba(128,128,128,.13)",
    hoverinfo: "y",
    yhoverformat: ".4~g",
  };
}

function summary(rows) {
  const values = rows.map((row) => row.values[0]);
  if (!values.length) return [0, "–", "–", "–"];
  return [values.length, ...[Math.min(...values), median(values), Math.max(...values)].map(number)];
}
