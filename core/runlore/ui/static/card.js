// One chart of curves: a metric of some runs, or its mean in groups, and others that are joined to it.

import { ask } from "./api.js";
import { Along } from "./along.js";
import { chooseMetrics } from "./choosers.js";
import { DASHES } from "./colours.js";
import { fill, h, popover, saidOf } from "./dom.js";
import { keeper } from "./download.js";
import { endsForm, within } from "./ends.js";
import { clear, draw } from "./plot.js";
import { reach, spreadIn, spreadOf } from "./spread.js";
import { bands, legended, lines, upright } from "./traces.js";

const FINE = 1000; // points of a curve that are asked for
const KEPT = 5000; // points of a curve in a CSV file; the server sends no more

/** `place` has
 * - state(), subject() → {runs} or {grouped, groups}, and keys(): all metrics;
 * - pinned(key), pin(key), first(key): true for the first that is pinned, forward(key): puts a pinned one ahead;
 * - ends(key): the heights from which to which a chart reaches, null for one that is not set, and reach(key, ends);
 * - joined(key): the metrics beside one in its chart, and join(key, keys).
 */
export class Card {
  constructor(key, place) {
    Object.assign(this, { key, place, stale: true, inView: false, range: null, height: null, data: null });
    this.along = new Along("step", false);
    this.plot = h("div", { class: "plot" });
    this.note = h("p", { class: "quiet hidden", style: "padding:10px" });
    this.whole = button("↺", `Show all of ${key}`, "Show all", () => this.zoom(null, null));
    this.whole.classList.add("hidden");
    this.wide = button("⤢", `Enlarge ${key}`, "Enlarge", () => this.enlarge());
    this.pinned = button("⚲", `Keep ${key} on top`, "Keep on top", () => place.pin(key));
    this.ahead = button("←", `Move ${key} forward`, "Move forward", () => this.forward());
    const keep = keeper(key, () => this.table(), this.plot, ({ data, layout }) => legended(this.named, data, layout, place.subject().shades));
    const join = popover("+", (box) => this.offerOthers(box), {
      class: "plain",
      "aria-label": `Other metrics in the chart of ${key}`,
      title: "Other metrics in this chart, and where its y axis ends",
    });
    this.title = h("h3", { title: key }, key);
    this.wide.setAttribute("aria-pressed", "false");
    this.node = h(
      "section",
      { class: "card", "data-key": key, "aria-label": key },
      h("header", {}, this.title, this.whole, join, this.ahead, this.pinned, keep, this.wide),
      this.note,
      this.plot,
    );
    this.pinnedNow();
  }

  /** The metrics of the chart, its own first. */
  keys() {
    return [this.key, ...this.place.joined(this.key)];
  }

  offerOthers(box) {
    const others = this.place.keys().filter((key) => key !== this.key);
    box.append(endsForm(this.place.ends(this.key), (ends) => this.place.reach(this.key, ends)));
    chooseMetrics(box, others, this.place.joined(this.key), (keys) => this.place.join(this.key, keys));
    box.querySelector("[type=search]").focus();
  }

  /** Name the metrics of the chart; of several, each with the dash of its curves. */
  joinedNow() {
    const keys = this.keys();
    const name = keys.join(", ");
    if (name === this.named) return;
    this.named = name;
    const dashed = keys.map((key, at) => h("span", {}, h("span", { class: `stroke ${DASHES[at]}` }), key));
    fill(this.title, keys.length > 1 ? dashed : name);
    this.title.classList.toggle("dashes", keys.length > 1);
    this.title.title = name;
    this.node.setAttribute("aria-label", name);
  }

  pinnedNow() {
    const on = this.place.pinned(this.key);
    this.pinned.setAttribute("aria-pressed", String(on));
    this.ahead.hidden = !on || this.place.first(this.key);
  }

  forward() {
    this.place.forward(this.key);
    (this.ahead.hidden ? this.pinned : this.ahead).focus(); // which is lost where a node is moved
  }

  enlarge() {
    const on = this.node.classList.toggle("wide");
    this.wide.setAttribute("aria-pressed", String(on));
    globalThis.Plotly?.Plots.resize(this.plot);
  }

  /** The points as rows: one for each point of each curve between the ends that are shown. */
  async table() {
    const found = await this.ask(KEPT);
    const isOne = this.keys().length < 2;
    const of = (item) => (isOne ? [] : [item.key]);
    const kind = spreadIn(this.place.state());
    const band = (item) => {
      const { middle, low, high } = spreadOf(item, kind);
      return item.x.map((x, at) => [item.name, ...of(item), x, middle[at], low[at], high[at]]);
    };
    const curve = (item) => item.x.map((x, at) => [item.run, item.name, ...of(item), x, item.y[at] ?? "NaN"]);
    const rows = found.bands ? found.bands.flatMap(band) : found.curves.flatMap(curve);
    const place = [...(isOne ? [] : ["metric"]), this.along.isMetric ? this.along.title : this.along.name];
    const head = found.bands
      ? ["group", ...place, kind === "range" ? "median" : "mean", "low", "high"]
      : ["run", "name", ...place, isOne ? this.key : "value"];
    return [head, ...rows];
  }

  outdate() {
    this.stale = true;
    if (this.inView) this.paint();
  }

  /** Forget what is drawn: it is of another question. */
  reset() {
    Object.assign(this, { range: null, height: null, data: null, asked: null, stale: true });
    this.whole.classList.add("hidden");
  }

  /** The curves of all metrics of the chart, or the bands; each with its `key`, and with its `dash` where it is not alone. */
  async ask(most) {
    const keys = this.keys();
    const answers = await Promise.all(keys.map((key) => this.answer(key, most)));
    const kind = answers[0].bands ? "bands" : "curves";
    const dash = (at) => (keys.length > 1 ? DASHES[at] : null);
    return { [kind]: answers.flatMap((found, at) => found[kind].map((item) => ({ ...item, key: keys[at], dash: dash(at) }))) };
  }

  answer(key, most) {
    const { grouped, runs } = this.place.subject();
    const { x, smooth } = this.place.state();
    const along = new Along(x).name;
    if (grouped) return ask("/api/bands", { ...grouped, key, x: along });
    const range = this.range ? { begin: this.range[0], end: this.range[1] } : {};
    const ids = runs.map((run) => run.id);
    return ask("/api/curves", { runs: ids, key, x: along, most, smooth: smooth || null, ...range });
  }

  async paint() {
    this.stale = false;
    const asked = (this.asked = {});
    try {
      const found = await this.ask(FINE);
      if (asked !== this.asked) return;
      this.data = found;
      await this.picture();
      const few = found.bands?.find((band) => band.of > band.runs);
      fill(this.note, few ? `A band is made of ${few.runs} runs of each group.` : null);
      this.note.classList.toggle("hidden", !few);
    } catch (error) {
      if (asked !== this.asked) return;
      this.stale = true; // so that the next news asks again
      fill(this.note, saidOf(error));
      this.note.classList.remove("hidden");
    }
  }

  /** Draw what is known. */
  async picture() {
    const state = this.place.state();
    const { runs, groups } = this.place.subject();
    const along = (this.along = new Along(state.x, state.logx === "1"));
    const log = state.logy === "1";
    const drawn = (values) => along.drawn(values);
    const traces = this.data.bands
      ? bands(this.data.bands, drawn, groups, spreadIn(state))
      : lines(this.data.curves, runs, drawn);
    const layout = {
      xaxis: along.layout(this.range),
      yaxis: {
        type: log ? "log" : "linear",
        ...(heights(this.height, log) ?? within(this.place.ends(this.key), log) ?? upright(traces, log, state.outliers !== "0")),
      },
      uirevision: false,
    };
    const plot = await draw(this.plot, traces, layout);
    if (plot && !plot.listens) {
      plot.listens = true;
      plot.on("plotly_relayout", (change) => this.relayout(change));
    }
  }

  /** The curves that are drawn, for who looks at one place of them. */
  known() {
    const { runs, groups } = this.place.subject();
    if (this.data?.bands)
      return this.data.bands.map((band) => {
        const spread = spreadOf(band, spreadIn(this.place.state()));
        const metric = band.dash && band.key;
        const place = Math.max(0, groups.indexOf(JSON.stringify(band.by)));
        const more = (at) => reach(spread, at);
        return { run: null, name: band.name, metric, place, x: band.x, y: spread.middle, more };
      });
    return (this.data?.curves ?? []).flatMap((curve) => {
      const run = runs.find((item) => item.id === curve.run);
      const { x, y } = curve.smoothed ?? curve;
      return run && !run.hidden ? [{ run: run.id, name: run.name, metric: curve.dash && curve.key, place: run.place, x, y }] : [];
    });
  }

  /** Let the curves of one run stand out; null for none. */
  highlight(run) {
    const traces = this.plot.data ?? [];
    const shown = this.plot.querySelectorAll(".scatterlayer > .trace");
    if (shown.length !== traces.length) return;
    shown.forEach((node, at) => {
      node.style.opacity = run === null || traces[at].meta === run ? "" : "0.15";
    });
  }

  relayout(change) {
    const ranged = (axis) => change[`${axis}.range`] ?? ends(change[`${axis}.range[0]`], change[`${axis}.range[1]`]);
    if (change["xaxis.autorange"] || change["yaxis.autorange"]) {
      if (this.range || this.height) this.zoom(null, null);
      return;
    }
    const along = ranged("xaxis");
    const up = ranged("yaxis");
    if (!along && !up) return;
    const isLog = this.place.state().logy === "1";
    const { grouped } = this.place.subject();
    this.zoom(
      along ? (grouped ? null : along.map((end) => this.along.place(end))) : this.range,
      up ? up.map((end) => (isLog ? 10 ** end : Number(end))) : this.height,
    );
  }

  /** Zoom between places and heights: ask for finer points of the range along x. Plotly itself zooms along y. */
  zoom(range, height) {
    const same = JSON.stringify(range) === JSON.stringify(this.range);
    this.range = range;
    this.height = height;
    this.whole.classList.toggle("hidden", !range && !height);
    if (same && this.data) this.picture();
    else this.paint();
  }

  close() {
    clear(this.plot);
    this.node.remove();
  }
}

const ends = (low, high) => (low === undefined ? null : [low, high]);

/** The range of y between two heights; null where there is none, as a logarithm of them. */
function heights(range, log) {
  if (!range || (log && range[1] <= 0)) return null;
  const [low, high] = range;
  return { range: log ? [Math.log10(low > 0 ? low : high / 1e6), Math.log10(high)] : range, autorange: false };
}

function button(sign, label, title, act) {
  return h("button", { type: "button", class: "plain", "aria-label": label, title, onclick: act }, sign);
}
