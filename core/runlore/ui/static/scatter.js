// A scatter plot: a dot for each run, along two fields, in the colours of a third.

import { Dots } from "./dots.js";
import { fieldsOf, labels } from "./fields.js";
import { escaped } from "./plot.js";
import { classFields, drawable, fieldChoice, flag, preferred } from "./relations.js";

export class Scatter extends Dots {
  constructor(place) {
    super(place, "Scatter plot");
  }

  async show() {
    const { place } = this;
    const fields = fieldsOf(place.keys, place.columns());
    const shades = classFields(place.keys, place.columns());
    const state = place.state();
    const first = preferred(place.columns(), fields);
    const x = fields.includes(state.sx) ? state.sx : first.params[0];
    const y = fields.includes(state.sy) ? state.sy : first.metric;
    const shade = shades.includes(state.sc) ? state.sc : null;
    const again = () => this.show();
    place.controls([
      fieldChoice(place, "sx", "x", fields, x, again),
      fieldChoice(place, "sy", "y", fields, y, again),
      fieldChoice(place, "sc", "colour", ["", ...shades], shade ?? "", again),
      flag(place, "slogx", "log x", again),
      flag(place, "slogy", "log y", again),
    ]);
    await this.load([x, y], shade);
  }

  /** Draw what is known, in the colours of the selection. */
  async recolour() {
    if (!this.rows) return;
    const { slogx, slogy } = this.place.state();
    const [nameX, nameY] = labels(this.fields).map(escaped);
    const axis = (name, log) => ({ title: { text: name, font: { size: 11 } }, type: log === "1" ? "log" : undefined });
    const along = (at) => this.rows.map((row) => drawable(row.values[at]));
    const layout = { xaxis: axis(nameX, slogx), yaxis: axis(nameY, slogy), margin: { l: 60, r: 14, t: 8, b: 44 } };
    await this.picture(along(0), along(1), layout);
  }
}
