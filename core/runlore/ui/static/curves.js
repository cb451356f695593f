// Charts of curves: every metric of some runs overlaid, or the mean of groups with a band, with controls for all.

import { ask } from "./api.js";
import { Card } from "./card.js";
import { DASHES, dot, placesOf, replaced } from "./colours.js";
import { curveControls } from "./curve_controls.js";
import { fill, h } from "./dom.js";
import { distinct, finder, groupText } from "./format.js";
import { GROUPS } from "./groups.js";
import { Hover } from "./hover.js";
import { readKeyed, withKeyed, writeKeyed } from "./keyed.js";
import { runLegend } from "./legend.js";
import { plotly } from "./plot.js";
import { shadesOf } from "./shades.js";
import { spreadChoice } from "./spread.js";
import { byUse } from "./traces.js";

const SECTION = 5; // metrics with a prefix from which on they have a section of their own

/** Curves with their controls. `state` reads {x, smooth, logx, logy, outliers, find, top, hide, with, band, colour, ys}; `save(patch)` writes it.
 *
 * `fixed` curves are those of a page without a server: with one x axis and one smoothing. Where runs can be coloured by a
 * field, `fields()` promises those that can be chosen, and `shaded()` hears that the runs have other colours. Where a colour
 * can be picked for a run, `picked()` hears that one was.
 */
export class Curves {
  constructor(state, save, { systemOpen = false, fixed = false, fields = null, shaded = null, picked = null } = {}) {
    Object.assign(this, { state, save, systemOpen, fields, shaded, picked });
    this.cards = new Map();
    this.hidden = []; // runs, as they are drawn
    this.legend = h("div", { class: "legend" });
    this.nothing = h("div");
    this.sections = h("div");
    this.node = h(
      "div",
      { class: "charts", tabindex: 0, role: "region", "aria-label": "Charts" },
      this.legend,
      this.nothing,
      this.sections,
    );
    this.seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const card = this.cards.get(entry.target.dataset.key);
          if (!card) continue;
          card.inView = entry.isIntersecting;
          if (card.inView && card.stale) card.paint();
        }
      },
      { rootMargin: "200px" },
    );
    this.hover = new Hover(
      () => [...this.cards.values()].filter((card) => card.inView),
      (run) => this.highlight(run),
    );
    this.controls = curveControls(state, save, this, fixed);
  }

  /** Show {groups, question, metrics}, or {runs}: [{id, name}]. */
  show(subject) {
    const { question, metrics, groups } = subject;
    this.controls.colour?.classList.toggle("hidden", Boolean(groups));
    this.showing = groups ? this.showGroups(question, metrics, groups) : this.showRuns(subject);
    return this.showing;
  }

  async showRuns({ runs, legend = true }) {
    const asked = (this.asked = {});
    plotly().catch(() => {}); // load it while the curves are asked for
    const ids = runs.map((run) => run.id);
    const nothing = { metrics: {}, runs: [] };
    const [found, shades] = await Promise.all([ids.length ? ask("/api/metrics", { runs: ids }) : nothing, this.shadesOf(ids)]);
    if (asked !== this.asked) return;
    const names = new Map(found.runs.map((run) => [run.id, run.name]));
    const places = placesOf(ids);
    this.grouped = null;
    this.runs = distinct(runs.map((run, at) => ({ ...run, name: names.get(run.id) ?? run.name, place: places[at] })));
    this.counts = found.metrics;
    this.points = found.points;
    this.legended = legend;
    this.shade(shades);
    this.reset();
  }

  /** The colours of runs by the field that the address has; null for their own. */
  async shadesOf(ids) {
    const { colour } = this.state();
    const known = colour && ids.length && this.fields && (await this.fields()).includes(colour);
    return known ? shadesOf(colour, ids) : null;
  }

  shade(shades) {
    this.shades = shades;
    this.drawLegend();
    this.shaded?.();
  }

  /** Colour the runs by the field that the address has now. */
  async reshade() {
    const { asked } = this;
    const { colour } = this.state();
    const shades = await this.shadesOf((this.runs ?? []).map((run) => run.id));
    if (asked !== this.asked || colour !== this.state().colour) return;
    this.shade(shades);
    this.repaint();
  }

  /** The place of a run's colour where a field tells it, else nothing. */
  placeOf(id) {
    return this.grouped ? undefined : this.shades?.of(id);
  }

  /** Show groups: {where, by, all, order}, the metrics that they are asked for, and the groups in order of colours. */
  async showGroups(question, metrics, groups) {
    this.asked = {};
    this.runs = [];
    this.grouped = question;
    this.groups = groups.map((by) => JSON.stringify(by));
    this.counts = Object.fromEntries(metrics.map((key) => [key, 1]));
    this.points = null;
    const named = (by) =>
      Object.entries(by)
        .map(([field, value]) => `${field.replace(/^(params|tags)\./, "")} ${groupText(value)}`)
        .join(", ");
    fill(
      this.legend,
      groups
        .slice(0, GROUPS)
        .map((by, place) => h("span", {}, dot(place), named(by))),
      spreadChoice(this.state(), (kind) => {
        this.save({ band: kind === "deviation" ? null : kind });
        this.repaint();
      }),
    );
    this.reset();
  }

  drawLegend() {
    this.hidden = hiddenIn(this.state());
    const on = {
      hide: (run, alone) => this.hide(run, alone),
      point: (id) => this.highlight(id),
      picked: this.shades ? null : this.picked,
    };
    const buttons = () => [...this.legend.querySelectorAll("button")];
    const focused = buttons().indexOf(document.activeElement);
    fill(this.legend, this.shades?.key(), this.legended ? runLegend(this.subject().runs, on) : null);
    buttons()[focused]?.focus();
  }

  hide(run, alone) {
    const others = this.runs.map((item) => item.id).filter((id) => id !== run.id);
    const solo = others.every((id) => this.hidden.includes(id)) && !this.hidden.includes(run.id);
    this.save({ hide: alone ? (solo ? [] : others) : hiding(this.hidden, run.id) });
    this.recolour();
  }

  /** What the cards show. */
  subject() {
    if (this.grouped) return { grouped: this.grouped, groups: this.groups, runs: [] };
    const drawn = (run) => ({ ...run, place: this.placeOf(run.id) ?? run.place, hidden: this.hidden.includes(run.id) });
    return { runs: this.runs.map(drawn), shades: this.shades };
  }

  /** Let the curves of one run stand out in all charts; null for none. */
  highlight(run) {
    const known = this.runs?.some((item) => item.id === run) ? run : null;
    if (known === this.highlighted) return;
    this.highlighted = known;
    for (const card of this.cards.values()) if (card.inView) card.highlight(known);
  }

  /** Ask again for the curves of runs that may have grown. */
  async grown() {
    await this.showing?.catch(() => {}); // what is shown stays until the answer is there
    if (this.grouped) return void this.outdateAll();
    if (!this.runs?.length) return;
    const asked = this.asked;
    const ids = this.runs.map((run) => run.id);
    const [found, shades] = await Promise.all([ask("/api/metrics", { runs: ids }), this.shadesOf(ids)]);
    if (asked !== this.asked) return;
    if (shades && !sameItems(shades.places, this.shades?.places)) this.shade(shades);
    const known = Object.keys(this.counts).length;
    this.counts = found.metrics;
    if (Object.keys(found.metrics).length !== known) this.arrange();
    this.outdateAll();
  }

  outdateAll() {
    for (const card of this.cards.values()) card.outdate();
  }

  /** Draw again where other runs are hidden than before, or a run has another colour. */
  recolour() {
    const isOther = replaced(this.runs ?? []);
    if (!isOther && JSON.stringify(this.hidden) === JSON.stringify(hiddenIn(this.state()))) return;
    this.drawLegend();
    this.repaint();
  }

  reset() {
    for (const card of this.cards.values()) card.reset();
    this.arrange();
    for (const card of this.cards.values()) if (card.inView) card.paint();
  }

  repaint() {
    for (const card of this.cards.values()) if (card.data) card.picture();
  }

  /** Put the cards of the metrics that are wanted in their order, in sections. */
  arrange() {
    const wanted = finder(this.state().find ?? "");
    const keys = Object.keys(this.counts ?? {})
      .filter(wanted)
      .sort((one, other) => this.isDot(one) - this.isDot(other) || byUse(one, other));
    for (const [key, card] of this.cards) {
      if (keys.includes(key)) continue;
      this.seen.unobserve(card.node);
      card.close();
      this.cards.delete(key);
    }
    for (const key of keys) if (!this.cards.has(key)) this.cards.set(key, this.card(key));
    for (const card of this.cards.values()) {
      card.joinedNow();
      card.pinnedNow();
    }
    const before = new Map([...this.sections.children].map((node) => [node.dataset.section, node]));
    const shown = [...sectioned(keys, this.state().top)].map(([name, members]) => {
      const node = before.get(name) ?? section(name, this.systemOpen);
      node.querySelector("summary span")?.replaceChildren(String(members.length));
      place(
        node.querySelector(".grid"),
        members.map((key) => this.cards.get(key).node),
      );
      return node;
    });
    place(this.sections, shown);
    for (const node of [...this.sections.children].slice(shown.length)) node.remove();
    const said = this.state().find ? "No metric fits that." : "These runs have no metrics.";
    const isEmpty = !keys.length && (this.grouped || this.runs?.length);
    fill(this.nothing, isEmpty ? h("p", { class: "quiet" }, said) : null);
  }

  /** The metrics of what is shown, the most looked for first. */
  keys() {
    return Object.keys(this.counts ?? {}).sort(byUse);
  }

  /** True for a metric with one point in each run; these come behind the curves. */
  isDot(key) {
    return (this.points?.[key] ?? 2) < 2;
  }

  card(key) {
    const card = new Card(key, {
      state: this.state,
      subject: () => this.subject(),
      pinned: (name) => (this.state().top ?? []).includes(name),
      pin: (name) => this.pin(name),
      first: (name) => this.onTop()[0] === name,
      forward: (name) => this.forward(name),
      keys: () => this.keys(),
      joined: (name) => this.joined(name),
      join: (name, keys) => this.join(name, keys),
      ends: (name) => endsOf(readKeyed(this.state().ys).get(name)),
      reach: (name, ends) => this.reach(name, ends),
    });
    this.hover.watch(card);
    this.seen.observe(card.node);
    return card;
  }

  /** Keep a metric's chart on top, or no longer. */
  pin(key) {
    const top = this.state().top ?? [];
    this.save({ top: top.includes(key) ? top.filter((name) => name !== key) : [...top, key] });
    this.arrange();
  }

  /** The metrics whose charts are kept on top, of those that are shown. */
  onTop() {
    return (this.state().top ?? []).filter((name) => this.cards.has(name));
  }

  /** Put a chart that is kept on top before the one that it follows there. */
  forward(key) {
    const before = this.onTop()[this.onTop().indexOf(key) - 1];
    const top = this.state().top.filter((name) => name !== key);
    top.splice(top.indexOf(before), 0, key);
    this.save({ top });
    this.arrange();
  }

  /** The metrics that are in the chart of another one beside it, if the runs have them. */
  joined(key) {
    const found = readKeyed(this.state().with).get(key) ?? [];
    return [...new Set(found)].filter((name) => name !== key && Object.hasOwn(this.counts, name)).slice(0, DASHES.length - 1);
  }

  /** Put metrics into the chart of another one; none, so that it is alone. */
  join(key, keys) {
    const joined = withKeyed(readKeyed(this.state().with), [[key, keys.length ? keys : null]]);
    this.save({ with: writeKeyed(joined) });
    const card = this.cards.get(key);
    card.joinedNow();
    card.reset();
    card.paint();
  }

  /** Let a chart reach from one height to another, null for none that is set. */
  reach(key, ends) {
    const isSet = ends.some((end) => end !== null);
    this.save({ ys: writeKeyed(withKeyed(readKeyed(this.state().ys), [[key, isSet ? ends : null]])) });
    const card = this.cards.get(key);
    if (card.data) card.picture();
  }

  close() {
    this.asked = {};
    this.seen.disconnect();
    this.hover.close();
    for (const card of this.cards.values()) card.close();
  }
}

/** The lower and the upper end of a chart, null for one that nobody has set. */
const endsOf = (list = []) => [0, 1].map((at) => (typeof list[at] === "number" ? list[at] : null));

const hiddenIn = (state) => state.hide ?? [];
const sameItems = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The runs that are hidden once one of them is shown, or another hidden. */
export function hiding(hidden, id) {
  return hidden.includes(id) ? hidden.filter((item) => item !== id) : [...hidden, id];
}

/** Put nodes into a host in an order, moving only those that lie elsewhere. */
function place(host, nodes) {
  nodes.forEach((node, at) => {
    if (host.children[at] !== node) host.insertBefore(node, host.children[at] ?? null);
  });
}

function section(name, systemOpen) {
  const grid = h("div", { class: "grid" });
  if (!name || name === "top") return h("div", { "data-section": name }, grid);
  const title = name === "system" ? "System metrics" : name;
  const summary = h("summary", {}, `${title} `, h("span", { class: "quiet" }));
  return h("details", { "data-section": name, open: systemOpen || name !== "system" }, summary, grid);
}

/** Metrics by section: those on top, those without one, then a section for each prefix that many have. */
function sectioned(keys, top = []) {
  const prefix = (key) => (key.includes("/") ? key.slice(0, key.indexOf("/")) : "");
  const sizes = new Map();
  for (const key of keys) sizes.set(prefix(key), (sizes.get(prefix(key)) ?? 0) + 1);
  const found = new Map([
    ["top", top.filter((key) => keys.includes(key))],
    ["", []],
  ]);
  for (const key of keys) {
    if (top.includes(key)) continue;
    const name = prefix(key);
    const own = name === "system" || (sizes.get(name) >= SECTION && sizes.size > 1) ? name : "";
    if (!found.has(own)) found.set(own, []);
    found.get(own).push(key);
  }
  const system = found.get("system");
  found.delete("system");
  if (system) found.set("system", system); // last
  for (const name of ["top", ""]) if (!found.get(name).length) found.delete(name);
  return found;
}
