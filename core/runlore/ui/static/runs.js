// The page of all runs: the table, what is done with a selection, and charts beside it.

import { ask, change, runPath } from "./api.js";
import { Curves } from "./curves.js";
import { debounce, fill, h, popover, say, tabs, trying } from "./dom.js";
import { count, number, text } from "./format.js";
import { colourAt } from "./plot.js";
import { queryBox } from "./query.js";
import { Parallel, Scatter, label } from "./relations.js";
import { read, remember, remembered, write } from "./state.js";
import { RunTable } from "./table.js";

const SHOWN = 8; // runs whose curves are drawn where none is selected
const CURVES = 50; // at the most
const SUGGESTED = 6; // columns where nobody chose
const PICTURES = { curves: "Curves", scatter: "Scatter", parallel: "Parallel" };

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
    this.table = new RunTable({
      sort: (field) => { write({ sort: field }); this.load(); },
      select: (ids) => this.select(ids.slice(0, CURVES)),
      open: (id) => this.go(`/run/${id}`),
      loaded: (total, hints) => this.loaded(total, hints),
    }, (id) => this.colour(id));
    this.table.selected = state.sel;
    this.query = queryBox(state.q ?? "", (where) => { write({ q: where, sel: null }, { push: true }); this.table.selected = []; this.load(); });
    this.foot = h("div", { class: "foot", "aria-live": "polite" });
    this.actions = h("div", { class: "bar picked hidden" });
    this.left = h("div", { class: "left" });
    this.controls = h("div", { class: "controls" });
    this.picture = h("div", { class: "rightside" });
    this.groupButton = popover("Group by", (box, close) => this.chooseGroup(box, close));
    const children = h("label", { class: "check" }, h("input", { type: "checkbox", checked: state.all === "1", onchange: (event) => { write({ all: event.target.checked }); this.load(); } }), "children");
    fill(this.host,
      h("div", { class: "toolbar" }, this.query.node, children, popover("Columns", (box) => this.chooseColumns(box)), this.groupButton),
      h("div", { class: "split" }, this.left, this.divider(), this.picture));
    this.known = ask("/api/keys").then((keys) => Object.assign(this.keys, keys));
    const { error } = state.q ? await ask("/api/check", { where: state.q }) : {};
    if (!error) return this.load();
    this.query.complain(error);
    fill(this.left, h("div", { class: "empty" }, h("h1", {}, "This query can't be understood"), h("p", {}, "The box above shows where. ", h("code", {}, 'params.lr < 0.1 and status == "finished"'), " is one that can.")));
  }

  divider() {
    this.left.style.width = `${remembered("divider", 52)}%`;
    const move = (event) => {
      const box = this.left.parentElement.getBoundingClientRect();
      this.part(((event.clientX - box.left) / box.width) * 100);
    };
    return h("button", {
      type: "button", class: "divider", "aria-label": "Width of the table: arrow keys change it", title: "Drag",
      onpointerdown: (event) => {
        event.preventDefault();
        addEventListener("pointermove", move);
        addEventListener("pointerup", () => { removeEventListener("pointermove", move); dispatchEvent(new Event("resize")); }, { once: true });
      },
      onkeydown: (event) => {
        const step = { ArrowLeft: -4, ArrowRight: 4 }[event.key];
        if (step) { this.part(Number.parseFloat(this.left.style.width) + step); dispatchEvent(new Event("resize")); }
      },
    });
  }

  part(percent) {
    const kept = Math.max(26, Math.min(72, percent));
    this.left.style.width = `${kept}%`;
    remember("divider", kept.toFixed(1));
  }

  question() {
    const state = read();
    return { where: state.q ?? "", all: state.all === "1" };
  }

  /** Ask for the table anew, or for groups. */
  load = trying(async () => {
    const state = read();
    const asked = (this.asked = {});
    const question = this.question();
    const telling = async () => (await ask("/api/columns", question)).columns.slice(0, SUGGESTED);
    const choose = !state.cols.length;
    const first = choose && !this.suggested;
    if (first) this.suggested = await telling();
    if (asked !== this.asked) return;
    if (state.group.length) return this.loadGroups(question, state);
    fill(this.left, this.actions, this.table.node, this.foot);
    const show = () => this.table.load({ ...question, sort: state.sort ?? "", columns: this.columns() });
    await show();
    if (first || !choose || asked !== this.asked) return;
    const better = await telling(); // other columns may tell these runs apart
    if (asked !== this.asked || JSON.stringify(better) === JSON.stringify(this.suggested)) return;
    this.suggested = better;
    await show();
  });

  columns() {
    const { cols } = read();
    return cols.length ? cols : this.suggested ?? [];
  }

  loaded(total, hints) {
    fill(this.foot, h("span", {}, count(total, "run")), h("span", { class: "grow" }),
      h("button", { type: "button", class: "plain", onclick: trying(async () => {
        const { back } = await change("/api/undo");
        say(`${count(back.length, "run")} brought back`);
      }) }, "Undo last removal"));
    if (hints.length) this.query.hint(hints);
    if (!total) this.empty();
    this.paint();
  }

  empty() {
    const asked = this.question();
    fill(this.left, this.actions, asked.where
      ? h("div", { class: "empty" }, h("h1", {}, "No run fulfils this query"), h("p", {}, "Take a part of it away, or tick ", h("b", {}, "children"), ": candidates of a search are children of it."))
      : h("div", { class: "empty" }, h("h1", {}, "No runs yet"), h("p", {}, "Record one: put these two lines at the top of a training script,"), h("pre", { tabindex: 0 }, "import runlore\nrunlore.autolog()"), h("p", {}, "or start the script as it is:"), h("pre", { tabindex: 0 }, "runlore run train.py"), h("p", {}, "It appears here while it trains.")), this.foot);
  }

  // Groups

  async loadGroups(question, state) {
    await this.known;
    const metrics = this.groupMetrics();
    if (!metrics.length) {
      say("No run has a metric to group.", { bad: true });
      write({ group: null });
      return this.load();
    }
    const found = await ask("/api/groups", { ...question, by: state.group, metrics });
    const rows = found[0].groups;
    this.groups = rows.map((group) => group.by);
    const clear = h("button", { type: "button", onclick: () => { write({ group: null }); this.load(); } }, "Ungroup");
    fill(this.foot, h("span", {}, `${count(rows.length, "group")}: mean ± half of the 95 % interval (best)`), h("span", { class: "grow" }), clear);
    fill(this.left, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Groups" }, h("table", { class: "list groups", style: "padding:0 12px" },
      h("thead", {}, h("tr", {}, h("th"), state.group.map((field) => h("th", {}, label(field))), h("th", { class: "number" }, "runs"), metrics.map((metric) => h("th", { class: "number" }, label(metric))))),
      h("tbody", {}, rows.map((group, place) => h("tr", {}, h("td", {}, h("span", { class: "dot", dot: place < 12 ? colourAt(place) : null })), state.group.map((field) => h("td", {}, text(group.by[field]))),
        h("td", { class: "number" }, group.runs.length + group.lacking), found.map((item) => h("td", { class: "number" }, groupCell(item.groups.find((other) => same(other.by, group.by)))))))))), this.foot);
    this.paint();
  }

  groupMetrics() {
    const shown = this.columns().filter((field) => field.startsWith("metrics"));
    const known = (this.keys.metrics ?? []).filter((item) => !/^system\//.test(item.key)).sort((one, other) => other.runs - one.runs).map((item) => item.field);
    return (shown.length ? shown : known).slice(0, 4);
  }

  chooseGroup(box, close) {
    const state = read();
    const fields = [...(this.keys.params ?? []), ...(this.keys.tags ?? [])].map((item) => ({ field: item.field, runs: item.runs }));
    const all = [{ field: "experiment" }, { field: "status" }, ...fields.sort((one, other) => (other.runs ?? 0) - (one.runs ?? 0))];
    this.tickList(box, all, state.group, (group) => { write({ group, sel: null }, { push: true }); this.table.selected = []; this.load(); }, "Find a param or tag");
    box.append(h("div", { class: "row" }, h("button", { type: "button", onclick: close }, "Close")));
  }

  chooseColumns(box) {
    const sections = Object.entries({ metrics: "Metrics", params: "Params", summary: "Summary", tags: "Tags", data: "Data", env: "Environment" });
    const items = sections.flatMap(([table, section]) => (this.keys[table] ?? []).filter((item) => table !== "env" || !item.key.startsWith("packages.")).map((item) => ({ ...item, section, runs: table === "env" ? undefined : item.runs })));
    const save = (cols) => { write({ cols }); this.load(); };
    this.tickList(box, items, this.columns(), save, "Find a column");
    box.append(h("div", { class: "row" }, h("button", { type: "button", onclick: () => { save([]); this.chooseColumns(fill(box)); } }, "Those that tell runs apart")));
  }

  /** A list of fields to tick, with a box that finds them. */
  tickList(box, items, chosen, save, label) {
    const list = h("div");
    let ticked = [...chosen];
    const draw = (wanted) => {
      let section = "";
      const shown = items.filter((item) => item.field.toLowerCase().includes(wanted.toLowerCase())).slice(0, 150);
      fill(list, shown.map((item) => {
        const title = item.section && item.section !== section ? h("h3", {}, (section = item.section)) : null;
        return [title, h("label", { class: "check" }, h("input", {
          type: "checkbox", checked: ticked.includes(item.field), onchange: (event) => {
            ticked = event.target.checked ? [...ticked, item.field] : ticked.filter((field) => field !== item.field);
            save(ticked);
          },
        }), h("span", {}, item.field), h("span", {}, item.runs ?? ""))];
      }), shown.length ? null : h("p", { class: "quiet" }, "Nothing is called so."));
    };
    box.append(h("input", { type: "search", placeholder: label, "aria-label": label, oninput: (event) => draw(event.target.value) }), list);
    draw("");
  }

  // Selection

  select(ids) {
    this.table.selected = ids;
    write({ sel: ids });
    this.paint();
  }

  colour(id) {
    const place = this.shown.indexOf(id);
    return place < 0 ? null : colourAt(place);
  }

  act() {
    const ids = this.table.selected;
    this.actions.classList.toggle("hidden", !ids.length);
    if (!ids.length) return;
    const each = (path, body) => trying(async () => { await Promise.all(ids.map((id) => change(runPath(id) + path, body))); await this.table.refresh(); });
    fill(this.actions, h("b", {}, `${ids.length} selected`),
      h("button", { type: "button", class: "main", disabled: ids.length < 2 || ids.length > 10, title: "From two to ten runs", onclick: () => this.go(`/compare?${ids.map((id) => `runs=${id}`).join("&")}`) }, "Compare"),
      popover("Tag", (box, close) => {
        const key = h("input", { type: "text", placeholder: "key", "aria-label": "Key of the tag" });
        const value = h("input", { type: "text", placeholder: "value; empty takes it off", "aria-label": "Value of the tag" });
        box.append(form([key, value], "Set", async () => { await each("/tags", { tags: { [key.value]: value.value || null } })(); close(); }));
      }),
      popover("Note", (box, close) => {
        const words = h("textarea", { rows: 3, "aria-label": "Note", placeholder: "what is worth knowing of these runs" });
        box.append(form([words], "Add", async () => { await each("/notes", { text: words.value })(); close(); }));
      }),
      h("button", { type: "button", onclick: trying(async () => {
        const pinned = ids.every((id) => this.table.first(1e9).find((row) => row.id === id)?.tags.pinned);
        await change("/api/pin", { runs: ids, off: pinned });
        await this.table.refresh();
      }) }, "Pin"),
      h("button", { type: "button", class: "danger", onclick: trying(async () => {
        const { removed } = await change("/api/remove", { runs: ids });
        this.select([]);
        await this.load();
        say(`${count(removed.length, "run")} removed`, { action: { name: "Undo", run: trying(async () => { await change("/api/undo"); await this.load(); }) } });
      }) }, "Remove"),
      h("span", { class: "grow" }), h("button", { type: "button", class: "plain", onclick: () => this.select([]) }, "Clear"));
  }

  // Pictures

  /** The dots, the actions and the picture, as the selection is now. */
  paint = trying(async () => {
    const state = read();
    if (state.tab) await this.known;
    this.shown = state.group.length ? [] : this.table.selected.length ? this.table.selected : this.table.first(SHOWN).map((row) => row.id);
    this.act();
    this.table.draw();
    const kind = PICTURES[state.tab] ? state.tab : "curves";
    if (kind !== this.kind) this.open(kind);
    if (kind !== "curves") return this.view.rows ? this.view.paint() : this.view.show();
    const asked = this.signature(state);
    if (asked === this.drawn) return;
    this.drawn = asked;
    if (state.group.length) this.view.showGroups({ ...this.question(), by: state.group, order: this.groupMetrics()[0] }, this.groupKeys(), this.groups ?? []);
    else await this.view.show(this.shown.map((id) => ({ id, name: id })));
  });

  groupKeys() {
    const fields = this.groupMetrics().map((field) => field.replace(/\.(last|min|max|count)$/, ""));
    return (this.keys.metrics ?? []).filter((item) => fields.includes(item.field)).map((item) => item.key);
  }

  signature(state) {
    return JSON.stringify([state.group, this.shown, state.group.length ? [state.q, state.all, this.groupMetrics()] : 0]);
  }

  open(kind) {
    this.view?.close();
    this.kind = kind;
    this.drawn = null;
    const choose = (name) => { write({ tab: name === "curves" ? null : name }); this.paint(); };
    const row = h("span", { class: "controls-own check", style: "display:contents" });
    fill(this.controls, tabs("Pictures", PICTURES, kind, choose), row);
    const place = {
      state: read, save: write, keys: this.keys, question: () => this.question(), selected: () => this.table.selected,
      select: (ids) => this.select(ids), open: (id) => this.go(`/run/${id}`), columns: () => this.columns(), controls: (items) => fill(row, items),
    };
    this.view = kind === "curves" ? new Curves(read, write) : kind === "scatter" ? new Scatter(place) : new Parallel(place);
    if (kind === "curves") fill(row, this.view.controls);
    fill(this.picture, this.controls, this.view.node);
  }

  // What is new

  news(told) {
    this.changed = new Set([...(this.changed ?? []), ...told.runs]);
    this.more = this.more || told.more || told.gone.length > 0 || told.new > 0;
    this.freshen();
  }

  freshen = debounce(120, trying(async () => {
    const changed = this.changed ?? new Set();
    const more = this.more;
    this.changed = null;
    this.more = false;
    if (more) Object.assign(this.keys, await ask("/api/keys"));
    if (read().group.length || (more && !this.table.total)) return this.load();
    await this.table.refresh();
    if (this.kind === "curves" && (more || this.shown.some((id) => changed.has(id)))) await this.view.grown();
  }));

  close() {
    this.view?.close();
  }
}

function groupCell(group) {
  if (!group || group.mean === null) return "–";
  const half = group.ci95 ? ` ± ${number(Number(((group.ci95[1] - group.ci95[0]) / 2).toPrecision(2)))}` : "";
  return `${number(group.mean)}${half} (${number(group.best?.value)})`;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Some controls with a button; Enter in a single line presses it. */
export function form(controls, name, act) {
  return h("form", { class: "form", onsubmit: (event) => { event.preventDefault(); act(); } }, controls, h("div", { class: "row" }, h("button", { class: "main", type: "submit" }, name)));
}
