// The page of all runs: the table, actions on a selection, and charts.

import { ask, change } from "./api.js";
import { Boxes } from "./boxes.js";
import { chooseColumns, chooseGroups } from "./choosers.js";
import { dot, dotButton, placesOf } from "./colours.js";
import { Curves, hiding } from "./curves.js";
import { debounce, fill, h, offer, popover, say, tabs, trying } from "./dom.js";
import { pageOf, sketched } from "./download.js";
import { nothingFound, nothingYet, notShown, notUnderstood, storeGone } from "./empty.js";
import { experimentButton, within } from "./experiments.js";
import { bare, isMetric, partsOf, turned } from "./fields.js";
import { filterButton, filterChips } from "./filters.js";
import { count } from "./format.js";
import { Grouped } from "./grouped.js";
import { HeatMap } from "./heatmap.js";
import { Importance } from "./importance.js";
import { Media } from "./media.js";
import { remember, remembered } from "./memory.js";
import { Parallel } from "./parallel.js";
import { queryBox } from "./query.js";
import { classFields } from "./relations.js";
import { Scatter } from "./scatter.js";
import { compare, selectionBar } from "./selection.js";
import { read, write } from "./state.js";
import { ALWAYS, RunTable } from "./table.js";
import { withTerms } from "./terms.js";
import { viewsButton } from "./views.js";

const SHOWN = 8; // runs whose curves are drawn where none is selected
const CURVES = 50; // runs with curves; the server takes no more
const SUGGESTED = 6; // columns where none are chosen
const PICTURES = {
  curves: "Curves",
  scatter: "Scatter",
  parallel: "Parallel",
  heatmap: "Heat map",
  boxes: "Box plot",
  importance: "Importance",
  media: "Media",
};

export async function show(host, { go }) {
  const page = new RunsPage(host, go);
  await page.start();
  return page;
}

class RunsPage {
  constructor(host, go) {
    this.host = host;
    this.go = go;
    this.keys = {};
    this.shown = [];
  }

  async start() {
    const state = read();
    this.table = new RunTable(
      {
        sort: (field, also) => {
          write({ sort: turned(read().sort ?? "", field, also) });
          this.load();
        },
        select: (ids) => this.select(ids.slice(0, CURVES)),
        open: (id) => this.go(`/run/${id}`),
        compare: () => compare(this),
        loaded: (total, hints) => this.loaded(total, hints),
        swap: (field, other, sort) => this.swap(field, other, sort),
        experiment: (name) => this.choose(name),
        point: (id) => this.view?.highlight?.(id),
        hidden: (id) => (this.hides() && this.shown.includes(id) ? read().hide.includes(id) : null),
        hide: (id) => {
          this.keep({ hide: hiding(read().hide, id) });
          this.paint();
        },
      },
      (row) => this.dotOf(row),
    );
    this.table.node.addEventListener(
      "scroll",
      debounce(100, () => {
        if (this.table.node.isConnected) history.replaceState({ top: this.table.node.scrollTop }, "");
      }),
    );
    this.table.selected = state.sel;
    this.query = queryBox(state.q ?? "", (where) => this.find(where), () => this.table.node.focus());
    this.filters = h("div", { class: "chips filters" });
    filterChips(this.filters, state.q ?? "", (where) => this.find(where));
    this.foot = h("div", { class: "foot", "aria-live": "polite" });
    this.actions = h("div", { class: "bar picked hidden" });
    this.left = h("div", { class: "left" });
    this.banner = h("div", { class: "banner hidden", role: "alert" });
    this.experiment = h("span");
    this.controls = h("div", { class: "controls" });
    this.picture = h("div", { class: "rightside" });
    const children = h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: state.all === "1",
        onchange: (event) => {
          write({ all: event.target.checked });
          this.load();
        },
      }),
      "children",
    );
    fill(
      this.host,
      h("h1", { class: "unseen" }, "Runs"),
      h(
        "div",
        { class: "toolbar" },
        this.experiment,
        this.query.node,
        children,
        filterButton({
          keys: () => this.known.then(() => this.keys),
          columns: () => this.columns(),
          question: () => this.question(),
          add: (terms) => this.find(withTerms(read().q ?? "", terms)),
        }),
        popover("Columns", async (box) => {
          await this.known;
          const choose = (cols) => {
            write({ cols });
            remember(columnsOf(read().exp), JSON.stringify(cols));
            this.load();
          };
          chooseColumns(box, this.keys, this.columns(), choose, this.always());
        }),
        popover("Group by", async (box) => {
          await this.known;
          chooseGroups(box, this.keys, read().group, (group) => {
            write({ group, sel: null });
            this.table.selected = [];
            this.load();
          });
        }),
        viewsButton(this.go),
        popover("⤓", (box, close) => this.offers(box, close), { "aria-label": "Download", title: "Download" }),
      ),
      this.filters,
      this.banner,
      h("div", { class: "split" }, this.left, this.divider(), this.picture),
    );
    const kept = location.search ? null : remembered("experiment", "");
    if (kept) write({ exp: kept });
    if (!location.search || kept) write({ cols: rememberedColumns(kept), less: rememberedList("less") });
    this.drawExperiment();
    this.known = ask("/api/keys").then((keys) => Object.assign(this.keys, keys));
    const { error } = state.q ? await ask("/api/check", { where: state.q }) : {};
    if (!error) return this.load(history.state?.top);
    this.query.complain(error);
    fill(this.left, notUnderstood());
  }

  /** What can be kept of the view: its rows, or all of it as a page. */
  offers(box, close) {
    box.classList.add("offers");
    const page = h("a", { href: pageOf("/"), download: "" }, "View as HTML");
    const [shown, name] = read().group.length ? [this.grouped, "groups"] : [this.table, "runs"];
    const drawn = ["png", "svg"].map((format) =>
      offer(`Table as ${format.toUpperCase()}`, close, () => {
        const draw = () => sketched(this.left.firstElementChild, name, format);
        return shown === this.table ? this.table.whole(draw) : draw();
      }),
    );
    fill(box, offer("Table as CSV", close, () => shown.keep()), drawn, page);
  }

  divider() {
    this.left.style.width = `${remembered("divider", 52)}%`;
    const move = (event) => {
      const box = this.left.parentElement.getBoundingClientRect();
      this.part(((event.clientX - box.left) / box.width) * 100);
    };
    return h("button", {
      type: "button",
      class: "divider",
      "aria-label": "Width of the table: arrow keys change it",
      title: "Drag",
      onpointerdown: (event) => {
        event.preventDefault();
        addEventListener("pointermove", move);
        addEventListener(
          "pointerup",
          () => {
            removeEventListener("pointermove", move);
            dispatchEvent(new Event("resize"));
          },
          { once: true },
        );
      },
      onkeydown: (event) => {
        const step = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
        if (step) {
          this.part(Number.parseFloat(this.left.style.width) + step);
          dispatchEvent(new Event("resize"));
        }
      },
    });
  }

  part(percent) {
    const kept = Math.max(26, Math.min(72, percent));
    this.left.style.width = `${kept}%`;
    remember("divider", kept.toFixed(1));
  }

  /** What is asked for: the query within the experiment. */
  question() {
    const state = read();
    const also = { children: state.all === "1", archived: state.archived === "1" };
    return { where: within(state.exp, state.q ?? ""), all: Object.keys(also).filter((kind) => also[kind]) };
  }

  /** Show the runs of another query. */
  find(where) {
    write({ q: where, sel: null }, { push: true });
    this.query.show(where);
    filterChips(this.filters, where, (less) => this.find(less));
    this.table.selected = [];
    this.load();
  }

  drawExperiment() {
    const { exp = "" } = read();
    document.title = `${exp || "Runs"} · runlore`;
    fill(this.experiment, experimentButton(exp, (name) => this.choose(name)));
  }

  /** Show the runs of an experiment; of all, where the name is empty. */
  choose(name) {
    remember("experiment", name);
    const cols = rememberedColumns(name);
    write({ exp: name, sel: null, ...(cols.length ? { cols } : {}) }, { push: true });
    this.table.selected = [];
    this.suggested = null;
    this.drawExperiment();
    this.load();
  }

  /** Ask for the table anew, or for groups; what is shown stays where the server does not answer. */
  async load(top = 0) {
    try {
      await this.answer(top);
      this.banner.classList.add("hidden");
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 0 && this.left.childElementCount) return this.unanswered(error);
      fill(this.left, notShown(error));
    }
  }

  unanswered(error) {
    const again = h("button", { type: "button", onclick: () => this.load(this.table.node.scrollTop) }, "Retry");
    fill(this.banner, h("span", {}, error.message), again);
    this.banner.classList.remove("hidden");
  }

  async answer(top) {
    const state = read();
    const asked = (this.asked = {});
    const question = this.question();
    const telling = async () => (await ask("/api/columns", question)).columns.slice(0, SUGGESTED);
    const choose = !state.cols.length;
    const first = choose && !this.suggested?.length;
    if (first) this.suggested = await telling();
    if (asked !== this.asked) return;
    if (state.group.length) return this.loadGroups(question, state, asked);
    const show = (place) => this.table.load({ ...question, sort: state.sort ?? "", columns: this.columns(), less: state.less }, place);
    await show(top);
    if (first || !choose || asked !== this.asked) return;
    const better = await telling(); // with new runs, other columns may tell them apart
    if (asked !== this.asked || JSON.stringify(better) === JSON.stringify(this.suggested)) return;
    this.suggested = better;
    await show(this.table.node.scrollTop);
  }

  /** Show another aggregate of a metric in its column, sorted by `by`; else who sorts by it sorts by the other. */
  swap(field, other, by) {
    const { sort = "" } = read();
    const cols = this.columns().map((item) => (item === field ? other : item));
    const kept = partsOf(sort).map((part) => (bare(part) === field ? part.replace(field, other) : part));
    write({ cols: [...new Set(cols)], sort: by ?? kept.join(", ") });
    this.load(by ? 0 : this.table.node.scrollTop);
  }

  /** The columns of every run, for the box of columns. */
  always() {
    const { less } = read();
    return Object.entries(ALWAYS).map(([field, name]) => {
      const turn = (on) => {
        const others = read().less.filter((item) => item !== field);
        write({ less: on ? others : [...others, field] });
        remember("less", JSON.stringify(read().less));
        this.load(this.table.node.scrollTop);
      };
      return [name, !less.includes(field), turn];
    });
  }

  columns() {
    const { cols } = read();
    return cols.length ? cols : (this.suggested ?? []);
  }

  loaded(total, hints) {
    const back = trying(async () => {
      const found = await change("/api/undo");
      say(`${count(found.back.length, "run")} brought back`);
      await this.load(this.table.node.scrollTop); // there is no news of what was away for less than a look
      this.askUndo();
    });
    fill(
      this.foot,
      h("span", {}, count(total, "run")),
      this.archive(),
      h("span", { class: "grow" }),
      this.undoable ? h("button", { type: "button", class: "plain", onclick: back }, "Undo last removal") : null,
    );
    this.had ||= total > 0;
    if (hints.length) this.query.hint(hints);
    const shown = total ? this.table.node : this.question().where ? nothingFound() : nothingYet();
    if (!total || !shown.isConnected) fill(this.left, shown, this.actions, this.foot);
    if (!total || this.undoable === undefined) this.askUndo();
    this.paint();
  }

  /** A switch for archived runs, where there are some. */
  archive() {
    const shown = read().archived === "1";
    if (!shown && !this.table.archived) return null;
    const onclick = () => {
      write({ archived: !shown });
      this.load();
    };
    return h("button", { type: "button", class: "plain", onclick }, shown ? "Hide archived" : `Show ${this.table.archived} archived`);
  }

  /** Ask whether the store is there, and whether a removal can be undone. */
  askUndo = trying(async () => {
    this.undoable ??= false;
    const store = await ask("/api/store");
    if (!store.exists && this.had && !this.table.total) fill(this.left, storeGone(store.root), this.foot);
    const undoable = store.removed > 0;
    if (undoable === this.undoable) return;
    this.undoable = undoable;
    if (this.table.question) this.loaded(this.table.total, []);
  });

  // Groups

  async loadGroups(question, state, asked) {
    await this.known;
    const metrics = this.groupMetrics();
    if (!metrics.length) {
      say("No run has a metric to group.", { bad: true });
      write({ group: null });
      return this.load();
    }
    const found = await ask("/api/groups", { ...question, by: state.group, metrics, over: state.over });
    if (asked !== this.asked) return;
    this.groups = found[0].groups.map((group) => group.by);
    this.grouped ??= new Grouped(this.left, this.foot, {
      keys: () => this.keys,
      load: () => this.load(),
      open: () => this.go(`/${location.search}`, { replace: true }),
    });
    this.grouped.show(found, state, metrics);
    this.paint();
  }

  groupMetrics() {
    const shown = this.columns().filter((field) => field.startsWith("metrics"));
    const known = (this.keys.metrics ?? [])
      .filter((item) => !/^system\//.test(item.key))
      .sort((one, other) => other.runs - one.runs)
      .map((item) => item.field);
    return (shown.length ? shown : known).slice(0, 4);
  }

  // Selection

  select(ids) {
    this.table.selected = ids;
    write({ sel: ids });
    this.paint();
  }

  /** True where the pictures show runs that can be hidden. */
  hides() {
    return this.kind === "curves" || this.kind === "media";
  }

  /** Change the state; the table shows which runs are hidden. */
  keep(patch) {
    write(patch);
    if (patch.hide) this.table.draw();
  }

  dotOf({ id, name }) {
    const at = this.shown.indexOf(id);
    if (at < 0) return h("span", { class: "dot" });
    const told = this.view?.placeOf?.(id);
    return told !== undefined ? dot(told) : dotButton(id, name, this.places[at], () => this.paint());
  }

  // Pictures

  /** Update the dots, the bar and the picture for the current selection. */
  paint = trying(async () => {
    const state = read();
    if (state.tab || state.group.length) await this.known;
    const chosen = this.table.selected;
    this.shown = state.group.length ? [] : chosen.length ? chosen : this.table.first(SHOWN).map((row) => row.id);
    this.places = placesOf(this.shown);
    selectionBar(this.actions, this);
    const kind = Object.hasOwn(PICTURES, state.tab ?? "") ? state.tab : "curves";
    if (kind !== this.kind) this.open(kind);
    this.table.draw();
    const subject = this.subject(state);
    const asked = JSON.stringify(subject);
    if (asked === this.drawn) return void (await this.view.recolour());
    this.drawn = asked;
    await this.view.show(subject);
  });

  /** A key of what the picture shows: while it stays the same, only colours change. */
  subject(state) {
    const question = this.question();
    const named = (ids) => ids.map((id) => ({ id, name: id }));
    if (this.kind === "media") return { runs: named(this.shown.filter((id) => !state.hide.includes(id))) };
    if (this.kind === "importance") return { ...question, first: this.columns().find(isMetric) };
    if (this.kind !== "curves") return { ...question, sort: state.sort, columns: this.columns() };
    if (!state.group.length) return { runs: named(this.shown) };
    const [order] = this.groupMetrics();
    return { question: { ...question, by: state.group, order }, metrics: this.groupKeys(), groups: this.groups ?? [] };
  }

  groupKeys() {
    const fields = this.groupMetrics().map((field) => field.replace(/\.(last|min|max|count)$/, ""));
    return (this.keys.metrics ?? []).filter((item) => fields.includes(item.field)).map((item) => item.key);
  }

  open(kind) {
    this.view?.close();
    this.kind = kind;
    this.drawn = null;
    const choose = (name) => {
      write({ tab: name === "curves" ? null : name });
      this.paint().then(() => this.controls.querySelector('[aria-selected="true"]').focus());
    };
    const row = h("div", { class: "own" });
    fill(this.controls, tabs("Pictures", PICTURES, kind, choose), row);
    const place = {
      state: read,
      save: write,
      keys: this.keys,
      question: () => ({ ...this.question(), sort: read().sort }),
      selected: () => this.table.selected,
      select: (ids) => this.select(ids),
      open: (id) => this.go(`/run/${id}`),
      columns: () => this.columns(),
      controls: (items) => fill(row, items),
    };
    const made = {
      curves: () =>
        new Curves(read, (patch) => this.keep(patch), {
          fields: () => this.known.then(() => classFields(this.keys, this.columns())),
          shaded: () => this.table.draw(),
          picked: () => this.paint(),
        }),
      media: () => new Media(read, write),
      scatter: () => new Scatter(place),
      parallel: () => new Parallel(place),
      heatmap: () => new HeatMap(place),
      boxes: () => new Boxes(place),
      importance: () => new Importance(place),
    };
    this.view = made[kind]();
    if (this.view.controls) fill(row, this.view.controls);
    fill(this.picture, h("h2", { class: "unseen" }, "Pictures"), this.controls, this.view.node);
  }

  // News

  news(told) {
    if (told.gone.some((id) => this.table.selected.includes(id)))
      this.select(this.table.selected.filter((id) => !told.gone.includes(id)));
    this.changed = new Set([...(this.changed ?? []), ...told.runs]);
    this.more = this.more || told.more || told.gone.length > 0 || told.new > 0;
    this.freshen();
  }

  freshen = debounce(
    120,
    trying(async () => {
      if (!this.asked) return; // nothing was asked for yet, or the address has a query that can't be understood
      const changed = this.changed ?? new Set();
      const more = this.more;
      this.changed = null;
      this.more = false;
      if (more) Object.assign(this.keys, await ask("/api/keys"));
      if (read().group.length || !this.table.total || !this.columns().length) await this.load();
      else await this.table.refresh();
      const touched = this.shown.some((id) => changed.has(id));
      if (this.view && (more || touched || (changed.size && !this.shown.length) || this.kind !== "curves"))
        await this.view.grown();
    }),
  );

  close() {
    this.view?.close();
  }
}

const columnsOf = (experiment) => `columns ${experiment || ""}`;

/** The columns that were chosen for an experiment at this store. */
const rememberedColumns = (experiment) => rememberedList(columnsOf(experiment));

/** A list that was chosen; empty where there is none. */
function rememberedList(name) {
  try {
    const found = JSON.parse(remembered(name, "[]"));
    return Array.isArray(found) ? found : [];
  } catch {
    return []; // whatever else wrote there
  }
}
