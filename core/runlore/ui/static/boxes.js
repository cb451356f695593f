// Box plots: how a metric is spread among the runs of each value of a field, with the runs as dots.

import { classesOf, median } from "./classes.js";
import { fill } from "./dom.js";
import { fieldsOf, labels } from "./fields.js";
import { number } from "./format.js";
import { accent, clear, draw, escaped } from "./plot.js";
import {
  asTable,
  barOf,
  classFields,
  coloursOf,
  dots,
  fieldChoice,
  flag,
  framed,
  linked,
  preferred,
  rowsOf,
  saying,
  told,
} from "./relations.js";

const SPREAD = 0.5; // of the dots beside each other, as a part of a box's place
const GOLDEN = 0.618; // its multiples are spread evenly, whatever their number
const FEW = 5; // runs below which a box tells less than its dots

/** `place` as that of Scatter. */
export class Boxes {
  constructor(place) {
    Object.assign(this, framed("Box plot"), { place });
  }

  async show() {
    const classes = classFields(this.place.keys, this.place.columns());
    const fields = fieldsOf(this.place.keys, this.place.columns());
    const state = this.place.state();
    const first = preferred(this.place.columns(), fields);
    const by = classes.includes(state.bx) ? state.bx : first.params[0];
    const of = fields.includes(state.bm) ? state.bm : first.metric;
    const shade = classes.includes(state.bc) ? state.bc : null;
    const again = () => this.show();
    this.place.controls([
      fieldChoice(this.place, "bm", "of", fields, of, again),
      fieldChoice(this.place, "bx", "by", classes, by ?? null, again),
      fieldChoice(this.place, "bc", "colour", ["", ...classes], shade ?? "", again),
      flag(this.place, "blogy", "log y", again),
    ]);
    if (!by || !of) return void fill(this.note, "No run has params or metrics yet.");
    const asked = (this.asked = {});
    const found = await rowsOf(this.place.question(), [of, by], shade ? [shade] : []);
    if (asked !== this.asked) return;
    found.rows = found.rows.filter((row) => typeof row.values[0] === "number");
    fill(this.note, `${told(found, "both")} Drag a box to select, click a dot to open its run.`);
    Object.assign(this, { rows: found.rows, by, of, shade });
    await this.recolour();
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { rows, by, of, shade } = this;
    if (!rows?.length) return void clear(this.plot);
    const classes = classesOf(rows.map((row) => row.values[1]));
    const places = rows.map((row) => classes.of(row.values[1]));
    const members = classes.names.map((_, place) => rows.filter((_, at) => places[at] === place));
    const [nameOf, nameBy] = labels([of, by]);
    const colours =
      shade &&
      coloursOf(
        shade,
        rows.map((row) => row.values[2]),
      );
    fill(this.legend, colours?.legend ?? null);
    const trace = dots(rows, {
      x: rows.map((_, at) => places[at] + (((at * GOLDEN) % 1) - 0.5) * SPREAD),
      y: rows.map((row) => row.values[0]),
      words: (row) =>
        [of, by, ...(shade ? [shade] : [])].map((field, at) => saying(field, row.values[at])).join("<br>"),
      selected: this.place.selected(),
      colours,
    });
    fill(
      this.below,
      asTable(
        [nameBy, "runs", "lowest", "median", "highest"],
        classes.names.map((name, at) => [name, ...summary(members[at])]),
      ),
    );
    const plot = await draw(this.plot, [...members.map(box), trace, ...barOf(colours)], {
      xaxis: {
        title: { text: escaped(nameBy), font: { size: 11 } },
        tickvals: classes.names.map((_, place) => place),
        ticktext: classes.names.map((name, place) => `${escaped(name)}<br>n = ${members[place].length}`),
        range: [-0.6, classes.names.length - 0.4],
        showgrid: false,
        zeroline: false,
      },
      yaxis: {
        title: { text: escaped(nameOf), font: { size: 11 } },
        type: this.place.state().blogy === "1" ? "log" : undefined,
      },
      hovermode: "closest",
      dragmode: "select",
      selections: [],
      margin: { l: 60, r: 14, t: 8, b: 56 },
    });
    linked(plot, this.place);
  }

  close() {
    clear(this.plot);
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
