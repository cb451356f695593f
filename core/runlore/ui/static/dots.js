// Pictures of dots: one for each run, in the colours of the selection or of a field; a box selects runs, a click opens one.

import { colourAt, isDashed, placesOf } from "./colours.js";
import { fill } from "./dom.js";
import { accent, clear, draw, escaped, quiet } from "./plot.js";
import { framed, rowsOf, saying, SELECTED, told } from "./relations.js";
import { barOf, coloursOf } from "./shades.js";

/** What Scatter and Boxes share; each has show(), which asks for runs, and recolour(), which draws them.
 *
 * `place` has state(), save(patch), keys, question(), selected(), select(ids), open(id), columns(), controls(items).
 */
export class Dots {
  constructor(place, name) {
    Object.assign(this, framed(name, () => this.found), { place });
  }

  /** Ask for the runs that have values of two fields, and `fits(row)`; draw them in the colours of a third, or null. */
  async load(fields, shade, fits = () => true) {
    if (!fields[0] || !fields[1]) return void fill(this.note, "No run has params or metrics yet.");
    const asked = (this.asked = {});
    const found = await rowsOf(this.place.question(), fields, shade ? [shade] : []);
    if (asked !== this.asked) return;
    found.rows = found.rows.filter(fits);
    fill(this.note, `${told(found, "both")} Drag a box to select, click a dot to open its run.`);
    Object.assign(this, { found, rows: found.rows, fields, shade });
    await this.recolour();
  }

  /** It may have changed. */
  grown() {
    return this.show();
  }

  /** Draw a dot at a place for each row, above other traces. */
  async picture(x, y, layout, under = []) {
    const colours =
      this.shade &&
      coloursOf(
        this.shade,
        this.rows.map((row) => row.values[2]),
      );
    fill(this.legend, colours?.legend ?? null);
    const plot = await draw(this.plot, [...under, this.trace(x, y, colours), ...barOf(colours)], {
      hovermode: "closest",
      dragmode: "select",
      selections: [],
      ...layout,
    });
    if (!plot || plot.listens) return;
    plot.listens = true;
    plot.on("plotly_selected", (event) => {
      const ids = (event?.points ?? []).map((point) => point.customdata).filter(Boolean);
      if (ids.length) this.place.select([...new Set(ids)].slice(0, SELECTED));
    });
    plot.on("plotly_click", (event) => {
      const run = event.points[0].customdata;
      if (run) this.place.open(run);
    });
  }

  trace(x, y, colours) {
    const { rows, fields, shade } = this;
    const selected = this.place.selected();
    const places = placesOf(selected);
    const own = (row) => colourAt(places[selected.indexOf(row.id)]);
    const plain = selected.length ? quiet() : accent();
    const said = shade ? [...fields, shade] : fields;
    const words = (row) => [escaped(row.name), ...said.map((field, at) => saying(field, row.values[at]))].join("<br>");
    return {
      type: "scatter",
      mode: "markers",
      x,
      y,
      text: rows.map(words),
      customdata: rows.map((row) => row.id),
      hovertemplate: "%{text}<extra></extra>",
      selected: { marker: { opacity: 0.85 } },
      unselected: { marker: { opacity: 0.85 } },
      marker: {
        size: rows.map((row) => (selected.includes(row.id) ? 10 : 7)),
        line: { width: 0 },
        symbol: rows.map((_, at) => (isDashed(colours?.places[at] ?? 0) ? "circle-open" : "circle")), // as in the legend
        opacity: 0.85,
        color: rows.map((row, at) => colours ? colourAt(colours.places[at]) : selected.includes(row.id) ? own(row) : plain),
      },
    };
  }

  close() {
    clear(this.plot);
  }
}
