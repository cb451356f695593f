// A scatter plot: a dot for each run, along two fields, in the colours of a third.

import { fill } from "./dom.js";
import { fieldsOf, labels } from "./fields.js";
import { clear, draw, escaped } from "./plot.js";
import {
  barOf,
  classFields,
  coloursOf,
  dots,
  drawable,
  fieldChoice,
  flag,
  framed,
  linked,
  preferred,
  rowsOf,
  saying,
  told,
} from "./relations.js";

/** `place` has state(), save(patch), keys, question(), selected(), select(ids), open(id), columns(), controls(items). */
export class Scatter {
  constructor(place) {
    Object.assign(this, framed("Scatter plot"), { place });
  }

  async show() {
    const fields = fieldsOf(this.place.keys, this.place.columns());
    const shades = classFields(this.place.keys, this.place.columns());
    const state = this.place.state();
    const first = preferred(this.place.columns(), fields);
    const x = fields.includes(state.sx) ? state.sx : first.params[0];
    const y = fields.includes(state.sy) ? state.sy : first.metric;
    const shade = shades.includes(state.sc) ? state.sc : null;
    const again = () => this.show();
    this.place.controls([
      fieldChoice(this.place, "sx", "x", fields, x, again),
      fieldChoice(this.place, "sy", "y", fields, y, again),
      fieldChoice(this.place, "sc", "colour", ["", ...shades], shade ?? "", again),
      flag(this.place, "slogx", "log x", again),
      flag(this.place, "slogy", "log y", again),
    ]);
    if (!x || !y) return void fill(this.note, "No run has params or metrics yet.");
    const asked = (this.asked = {});
    const found = await rowsOf(this.place.question(), [x, y], shade ? [shade] : []);
    if (asked !== this.asked) return;
    fill(this.note, `${told(found, "both")} Drag a box to select, click to open.`);
    Object.assign(this, { rows: found.rows, x, y, shade });
    await this.recolour();
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    const { x, y, shade, rows } = this;
    if (!rows) return;
    const state = this.place.state();
    const colours =
      shade &&
      coloursOf(
        shade,
        rows.map((row) => row.values[2]),
      );
    const [nameX, nameY] = labels([x, y]).map(escaped);
    const trace = dots(rows, {
      x: rows.map((row) => drawable(row.values[0])),
      y: rows.map((row) => drawable(row.values[1])),
      words: (row) => [x, y, ...(shade ? [shade] : [])].map((field, at) => saying(field, row.values[at])).join("<br>"),
      selected: this.place.selected(),
      colours,
    });
    const axis = (name, log) => ({ title: { text: name, font: { size: 11 } }, type: log === "1" ? "log" : undefined });
    fill(this.legend, colours?.legend ?? null);
    const plot = await draw(this.plot, [trace, ...barOf(colours)], {
      xaxis: axis(nameX, state.slogx),
      yaxis: axis(nameY, state.slogy),
      hovermode: "closest",
      dragmode: "select",
      selections: [],
      margin: { l: 60, r: 14, t: 8, b: 44 },
    });
    linked(plot, this.place);
  }

  close() {
    clear(this.plot);
  }
}
