// Cards of curves: every metric of some runs overlaid, or the mean of groups with a band.

import { ask } from "./api.js";
import { debounce, fill, h } from "./dom.js";
import { distinct, groupText } from "./format.js";
import { GROUPS } from "./groups.js";
import { clear, colourAt, draw, plotly } from "./plot.js";
import { bands, byUse, lines, upright } from "./traces.js";

const FINE = 1000; // points of a curve that are asked for
const AXES = { step: "step", epoch: "epoch", time: "time", relative: "seconds since the start" };

/** Curves with their controls. `state` reads {x, smooth, logx, logy, find}; `save(patch)` writes it. */
export class Curves {
  constructor(state, save) {
    this.state = state;
    this.save = save;
    this.cards = new Map();
    this.legend = h("div", { class: "legend" });
    this.grid = h("div", { class: "grid" });
    this.rest = h("div", { class: "grid" });
    this.more = h("details", { class: "hidden" }, h("summary", {}, "System metrics"), this.rest);
    this.nothing = h("div");
    this.node = h(
      "div",
      { class: "charts", tabindex: 0, role: "region", "aria-label": "Charts" },
      this.legend,
      this.nothing,
      this.grid,
      this.more,
    );
    this.seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const card = this.cards.get(entry.target.dataset.key);
          if (!card) continue;
          card.inView = entry.isIntersecting;
          if (card.inView && card.stale) this.paint(card);
        }
      },
      { rootMargin: "200px" },
    );
    this.controls = this.build();
  }

  build() {
    const state = this.state();
    const redraw = () => this.repaint();
    const check = (name, label) =>
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: state[name] === "1",
          onchange: (event) => {
            this.save({ [name]: event.target.checked });
            redraw();
          },
        }),
        label,
      );
    const shown = h("span", { class: "mono quiet" }, Number(state.smooth || 0).toFixed(2));
    return [
      h(
        "label",
        { class: "check" },
        "x",
        h(
          "select",
          {
            "aria-label": "What lies along x",
            onchange: (event) => {
              this.save({ x: event.target.value === "step" ? null : event.target.value });
              this.reset();
            },
          },
          Object.entries({ step: "step", epoch: "epoch", time: "wall time", relative: "relative time" }).map(
            ([name, title]) => h("option", { value: name, selected: (state.x || "step") === name }, title),
          ),
        ),
      ),
      h(
        "label",
        { class: "check" },
        "smoothing",
        h("input", {
          type: "range",
          min: 0,
          max: 0.99,
          step: 0.01,
          value: state.smooth || 0,
          style: "width:90px",
          oninput: (event) => {
            fill(shown, Number(event.target.value).toFixed(2));
            this.soon(event.target.value);
          },
        }),
        shown,
      ),
      check("logx", "log x"),
      check("logy", "log y"),
      h("input", {
        type: "search",
        value: state.find || "",
        placeholder: "find a metric",
        "aria-label": "Find a metric",
        style: "width:120px",
        oninput: debounce(200, (event) => {
          this.save({ find: event.target.value });
          this.arrange();
        }),
      }),
    ];
  }

  soon = debounce(60, (value) => {
    this.save({ smooth: Number(value) || null });
    this.repaint();
  });

  /** Show {groups, question, metrics}, or {runs}: [{id, name}] in the order of their colours. */
  show(subject) {
    return subject.groups ? this.showGroups(subject.question, subject.metrics, subject.groups) : this.showRuns(subject);
  }

  async showRuns({ runs, legend = true }) {
    this.grouped = null;
    this.runs = runs;
    const asked = (this.asked = {});
    plotly().catch(() => {}); // load it while the curves are asked for
    const found = runs.length
      ? await ask("/api/metrics", { runs: runs.map((run) => run.id) })
      : { metrics: {}, runs: [] };
    if (asked !== this.asked) return;
    const names = new Map(found.runs.map((run) => [run.id, run.name]));
    this.runs = distinct(runs.map((run) => ({ ...run, name: names.get(run.id) ?? run.name })));
    this.counts = found.metrics;
    this.points = found.points;
    fill(
      this.legend,
      legend
        ? this.runs.map((run, place) => h("span", {}, h("span", { class: "dot", dot: colourAt(place) }), run.name))
        : null,
    );
    this.reset();
  }

  /** Show groups: {where, by, all, order}, the metrics that they are asked for, and the groups in order of colours. */
  showGroups(question, metrics, groups) {
    this.asked = {};
    this.runs = [];
    this.grouped = question;
    this.groups = groups.map((by) => JSON.stringify(by));
    this.counts = Object.fromEntries(metrics.map((key) => [key, 1]));
    this.points = null;
    fill(
      this.legend,
      groups
        .slice(0, GROUPS)
        .map((by, place) =>
          h("span", {}, h("span", { class: "dot", dot: colourAt(place) }), Object.values(by).map(groupText).join(", ")),
        ),
    );
    this.reset();
  }

  /** Ask again for the curves of runs that may have grown. */
  async grown() {
    if (this.grouped) return void this.outdateAll();
    if (!this.runs?.length) return;
    const asked = this.asked;
    const found = await ask("/api/metrics", { runs: this.runs.map((run) => run.id) });
    if (asked !== this.asked) return;
    const known = Object.keys(this.counts).length;
    this.counts = found.metrics;
    if (Object.keys(found.metrics).length !== known) this.arrange();
    this.outdateAll();
  }

  outdateAll() {
    for (const card of this.cards.values()) this.outdate(card);
  }

  /** Nothing to do: the colours follow the places of the curves, which change only with the question. */
  recolour() {}

  reset() {
    for (const card of this.cards.values()) {
      card.range = null;
      card.height = null;
      card.whole.classList.add("hidden");
      card.data = null;
      card.asked = null; // ignore an answer that is still to come: it is of another question
      card.stale = true;
    }
    this.arrange();
    for (const card of this.cards.values()) if (card.inView) this.paint(card);
  }

  repaint() {
    for (const card of this.cards.values()) if (card.data) this.picture(card);
  }

  arrange() {
    const wanted = (this.state().find || "").toLowerCase();
    const keys = Object.keys(this.counts ?? {})
      .filter((key) => key.toLowerCase().includes(wanted))
      .sort((one, other) => this.isDot(one) - this.isDot(other) || byUse(one, other));
    for (const [key, card] of this.cards) {
      if (keys.includes(key)) continue;
      this.seen.unobserve(card.node);
      clear(card.plot);
      card.node.remove();
      this.cards.delete(key);
    }
    for (const key of keys) if (!this.cards.has(key)) this.cards.set(key, this.card(key));
    const place = (grid, list) =>
      list.forEach((key, at) => {
        const { node } = this.cards.get(key);
        if (grid.children[at] !== node) grid.insertBefore(node, grid.children[at] ?? null);
      });
    place(
      this.grid,
      keys.filter((key) => !key.startsWith("system/")),
    );
    const system = keys.filter((key) => key.startsWith("system/"));
    place(this.rest, system);
    this.more.classList.toggle("hidden", !system.length);
    fill(
      this.nothing,
      keys.length
        ? null
        : h("p", { class: "quiet" }, wanted ? "No metric is called so." : "These runs have no metrics."),
    );
  }

  /** True for a metric with one point in each run; these come behind the curves. */
  isDot(key) {
    return (this.points?.[key] ?? 2) < 2;
  }

  card(key) {
    const plot = h("div", { class: "plot" });
    const note = h("p", { class: "quiet hidden", style: "padding:10px" });
    const wide = h(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-pressed": "false",
        "aria-label": `Enlarge ${key}`,
        title: "Enlarge",
        onclick: () => {
          const on = node.classList.toggle("wide");
          wide.setAttribute("aria-pressed", String(on));
          globalThis.Plotly?.Plots.resize(plot);
        },
      },
      "⤢",
    );
    const whole = h(
      "button",
      {
        type: "button",
        class: "plain hidden",
        "aria-label": `Show all of ${key}`,
        title: "Show all",
        onclick: () => this.zoom(card, null, null),
      },
      "↺",
    );
    const node = h(
      "section",
      { class: "card", "data-key": key, "aria-label": key },
      h("header", {}, h("h3", { title: key }, key), whole, wide),
      note,
      plot,
    );
    const card = { key, node, plot, note, whole, stale: true, inView: false, range: null, height: null, data: null };
    this.seen.observe(node);
    return card;
  }

  outdate(card) {
    card.stale = true;
    if (card.inView) this.paint(card);
  }

  async paint(card) {
    card.stale = false;
    const asked = (card.asked = {});
    const state = this.state();
    const x = state.x || "step";
    const range = card.range ? { begin: card.range[0], end: card.range[1] } : {};
    try {
      const found = this.grouped
        ? await ask("/api/bands", { ...this.grouped, key: card.key, x })
        : await ask("/api/curves", { runs: this.runs.map((run) => run.id), key: card.key, x, most: FINE, ...range });
      if (asked !== card.asked) return;
      card.data = found;
      await this.picture(card);
      card.note.classList.add("hidden");
    } catch (error) {
      if (asked !== card.asked) return;
      card.stale = true; // so that the next news asks again
      fill(card.note, error.message);
      card.note.classList.remove("hidden");
    }
  }

  async picture(card) {
    const state = this.state();
    const x = state.x || "step";
    const along = x === "time" ? (values) => values.map((value) => new Date(value * 1000)) : (values) => values;
    const traces = card.data.bands
      ? bands(card.data.bands, along, this.groups)
      : lines(card.data.curves, this.runs, along, Number(state.smooth) || 0);
    const range = card.range && (x === "time" ? card.range.map((value) => new Date(value * 1000)) : card.range);
    const layout = {
      xaxis: {
        type: x === "time" ? "date" : state.logx === "1" ? "log" : "linear",
        title: { text: AXES[x], font: { size: 10 }, standoff: 4 },
        ...(range
          ? { range: state.logx === "1" && x !== "time" ? range.map(Math.log10) : range }
          : { autorange: true }),
      },
      yaxis: {
        type: state.logy === "1" ? "log" : "linear",
        ...(card.height ? { range: card.height } : upright(traces, state.logy === "1")),
      },
      uirevision: false,
    };
    const plot = await draw(card.plot, traces, layout);
    if (plot && !plot.listens) {
      plot.listens = true;
      plot.on("plotly_relayout", (change) => this.relayout(card, change));
    }
  }

  relayout(card, change) {
    const ranged = (axis) => change[`${axis}.range`] ?? ends(change[`${axis}.range[0]`], change[`${axis}.range[1]`]);
    if (change["xaxis.autorange"] || change["yaxis.autorange"]) {
      if (card.range || card.height) this.zoom(card, null, null);
      return;
    }
    const along = ranged("xaxis");
    const up = ranged("yaxis");
    if (!along && !up) return;
    this.zoom(
      card,
      along ? (this.grouped ? null : along.map((value) => this.placeOf(value))) : card.range,
      up ?? card.height,
    );
  }

  /** The server's form of a place along x. */
  placeOf(value) {
    const state = this.state();
    if (state.x === "time") return new Date(String(value).replace(" ", "T").replace(/Z?$/, "Z")).getTime() / 1000;
    return state.logx === "1" ? 10 ** value : Number(value);
  }

  /** Zoom: ask for finer points of the range along x. Plotly itself zooms along y. */
  zoom(card, range, height) {
    const same = JSON.stringify(range) === JSON.stringify(card.range);
    card.range = range;
    card.height = height;
    card.whole.classList.toggle("hidden", !range && !height);
    if (same && card.data) this.picture(card);
    else this.paint(card);
  }

  close() {
    this.asked = {};
    this.seen.disconnect();
    for (const card of this.cards.values()) clear(card.plot);
  }
}

const ends = (low, high) => (low === undefined ? null : [low, high]);
