// The table of runs: only the rows in view exist; the server sorts, counts and sends pages.

import { ask } from "./api.js";
import { csv, download } from "./download.js";
import { closePopover, fill, h, offer as offered, popover, runLink } from "./dom.js";
import { AGGREGATES, isMetric, labels, orderBy, withAggregate } from "./fields.js";
import { ago, duration, isArchived, number, shortened, statusText, text } from "./format.js";
import { grip, widthOf } from "./widths.js";

const ROW = 28; // pixels, as in the style sheet
const PAGE = 100;
const LETTER = 7.2; // pixels, of a name
const AT_ONCE = 50; // runs that the box in the head selects
const PICTURED = 500; // rows of a picture
const EXPORTED = 1000; // rows of one answer
const BEYOND = 12; // rows that are drawn above and below the visible ones
export const ALWAYS = { status: "status", started: "started", duration: "took" }; // columns of every run, unless taken out
const PHONE = matchMedia("(max-width: 480px)");
const STATUS = { field: "status", title: "status", width: 112 };
const LAST = [
  { field: "started", title: "started", width: 92 },
  { field: "duration", title: "took", width: 88, number: true },
];

export class RunTable {
  /** `on` has sort(field, also), `also` with the order of now, select(ids), open(id), compare(), loaded(total, hints), point(id); where a metric can be shown by
   * another of its values, swap(field, other, sort), `sort` if rows are to be sorted by it; where an experiment can be
   * chosen, experiment(name), for a column of them while several are shown; where runs can be hidden, hide(id), which hides one or shows it again,
   * and hidden(id), which is null for a run that is in no chart.
   *
   * `dotOf(row)` returns the dot of a run.
   */
  constructor(on, dotOf) {
    this.on = on;
    this.dotOf = dotOf;
    this.pages = new Map();
    this.total = 0;
    this.columns = [];
    this.selected = [];
    this.current = -1;
    this.anchor = null;
    this.asked = 0;
    this.head = h("thead");
    this.body = h("tbody");
    this.widths = h("colgroup");
    this.table = h("table", { class: "runs", "aria-label": "Runs" }, this.widths, this.head, this.body);
    const pointed = (event) => this.on.point(event.target.closest?.("tr")?.dataset.run ?? null);
    this.body.addEventListener("pointerover", pointed);
    this.body.addEventListener("pointerleave", () => this.on.point(null));
    this.node = h(
      "div",
      {
        class: "scroll",
        tabindex: 0,
        "aria-label": "Runs: arrow keys move, space selects, Enter opens, c compares, Esc selects none",
        role: "region",
        onkeydown: (event) => this.key(event),
      },
      this.table,
    );
    this.node.addEventListener("scroll", () => this.later());
    new ResizeObserver(() => this.later()).observe(this.node);
  }

  /** Show the runs of a question: {where, sort, columns, all, less}, `less` those columns of every run that are not shown; `top` is where it was scrolled to. */
  async load(question, top = 0) {
    this.question = question;
    const asked = ++this.asked;
    const first = await this.fetch(0, asked);
    if (!first) return;
    this.pages = new Map([[0, first.rows]]); // the old rows stay visible until here
    const rows = JSON.stringify({ ...question, columns: null });
    if (rows !== this.rows) Object.assign(this, { rows, current: -1, anchor: null }); // other columns alone move nobody
    const titles = labels(first.columns.map((column) => column.field));
    this.columns = first.columns.map((column, place) => ({
      ...column,
      title: titles[place],
      number: isNumeric(first.rows, place),
    }));
    this.layout(first.rows);
    this.on.loaded(this.total, first.hints);
    this.body.style.height = `${this.total * ROW}px`; // so that it can be scrolled there before the rows are drawn
    this.node.scrollTop = top;
    this.body.style.height = "";
    this.draw();
    if (top) this.node.scrollTop = top;
  }

  /** Ask again for the loaded pages; the scroll position stays. */
  async refresh() {
    const asked = this.asked;
    const [from, to] = this.range();
    const wanted = new Set([0, Math.floor(from / PAGE), Math.floor(to / PAGE)]);
    for (const page of [...this.pages.keys()]) if (!wanted.has(page)) this.pages.delete(page);
    const before = this.total;
    for (const page of wanted) if (page * PAGE <= Math.max(before - 1, 0)) await this.fetch(page, asked);
    if (asked !== this.asked) return;
    this.draw();
    this.on.loaded(this.total, []);
  }

  async fetch(page, asked) {
    const { where, sort, columns, all } = this.question;
    const found = await ask("/api/runs", { where, sort, columns, all, offset: page * PAGE, limit: PAGE });
    if (asked !== this.asked) return null;
    this.total = found.total;
    this.archived = found.archived; // that are left out
    this.pages.set(page, found.rows);
    this.short = null;
    return found;
  }

  row(place) {
    return this.pages.get(Math.floor(place / PAGE))?.[place % PAGE];
  }

  /** A run of the loaded pages. */
  find(id) {
    return [...this.pages.values()].flat().find((row) => row.id === id);
  }

  /** The first loaded rows, at most `most`. */
  first(most) {
    return (this.pages.get(0) ?? []).slice(0, most);
  }

  /** The name of a run as it fits into its column, and tells it from those of the loaded pages. */
  nameOf(row) {
    const most = Math.floor((Number.parseFloat(this.widths.children[1]?.style.width) - 16) / LETTER);
    const names = () => [...this.pages.values()].flat().map((one) => one.name);
    if (this.short?.most !== most) this.short = { most, names: shortened(names(), most) };
    return this.short.names.get(row.name);
  }

  layout(rows) {
    this.phone = PHONE.matches;
    const sorted = this.question.sort ?? "";
    const own = this.columns.map((column, place) => {
      const longest = Math.max(
        column.title.length + (orderBy(sorted, column.field).way ? 6 : 2), // with the sign of the order
        ...rows.slice(0, 40).map((row) => cell(row.values[place]).length),
      );
      return {
        field: column.field,
        title: column.title,
        width: Math.min(230, Math.max(64, longest * 7.4 + 22)),
        number: column.number,
      };
    });
    const name = {
      field: "name",
      title: "name",
      width: Math.min(
        this.phone ? 168 : 260,
        Math.max(this.phone ? 96 : 130, ...rows.slice(0, 60).map(nameWidth)),
      ),
    };
    this.mixed = this.on.experiment && isMixed(rows, this.columns);
    const width = 22 + 7.2 * Math.max(12, ...rows.map((row) => row.experiment.length));
    const experiment = { field: "experiment", title: "experiment", width: Math.min(180, width) };
    const fixed = (items) => items.filter((item) => this.shows(item.field));
    const status = this.phone ? { ...STATUS, title: "", width: 34 } : STATUS; // its sign alone
    const columns = [name, ...(this.mixed ? [experiment] : []), ...fixed([status]), ...own, ...fixed(LAST)];
    const widths = [this.on.hide && !this.phone ? 82 : 58, ...columns.map((column) => (this.phone ? column.width : widthOf(column)))];
    fill(
      this.widths,
      widths.map(() => h("col")),
    );
    this.widen(widths);
    this.all = h("input", {
      type: "checkbox",
      "aria-label": "Select the runs that are loaded",
      onchange: () => this.selectLoaded(),
    });
    const held = focusedIn(this.head);
    fill(
      this.head,
      h(
        "tr",
        {},
        h("th", { style: "padding:0 8px" }, this.all),
        columns.map((column, at) => {
          const { way, place } = orderBy(sorted, column.field);
          const sign = way ? `${way === "ascending" ? " ▴" : " ▾"}${place ?? ""}` : "";
          const onclick = (event) => this.on.sort(column.field, event.shiftKey);
          const title = `Sort by ${column.field}; with shift, then by it`;
          return h(
            "th",
            { scope: "col", class: column.number ? "right" : "", "aria-sort": way ?? "none" },
            h("button", { type: "button", title, onclick }, column.title + sign),
            this.on.swap && isMetric(column.field) ? this.aggregates(column.field) : null,
            grip(column, (width) => {
              widths[at + 1] = width;
              this.widen(widths);
              if (column.field === "name") this.later();
            }),
          );
        }),
      ),
    );
    if (held) [...this.head.querySelectorAll("button")].find((button) => nameOf(button) === held)?.focus();
  }

  /** True for a column of every run that nobody has taken out. */
  shows(field) {
    return !this.question.less?.includes(field);
  }

  /** Give all columns their widths. */
  widen(widths) {
    [...this.widths.children].forEach((column, at) => {
      column.style.width = `${widths[at]}px`;
    });
    this.table.style.setProperty("--lead", `${widths[0]}px`);
    this.table.style.width = `${widths.reduce((sum, width) => sum + width, 0)}px`;
  }

  /** A button in the head of a metric: the last, the lowest or the highest value. */
  aggregates(field) {
    return popover(
      "▾",
      (box) => {
        box.classList.add("offers");
        const offer = (name) => {
          const other = withAggregate(field, name);
          const onclick = () => {
            closePopover();
            if (other !== field) this.on.swap(field, other);
          };
          return h("button", { type: "button", class: "plain", "aria-pressed": String(other === field), onclick }, name);
        };
        const first = (name, sign, title) => {
          const other = withAggregate(field, name);
          return offered(title, closePopover, () => this.on.swap(field, other, sign + other));
        };
        fill(box, AGGREGATES.map(offer), first("min", "", "lowest first"), first("max", "-", "highest first"));
      },
      { class: "plain of", "aria-label": `Last, min or max of ${field}`, title: "Last, min or max" },
    );
  }

  /** Give the browser all rows as CSV, with the columns that are shown. */
  async keep() {
    const { where, sort, columns, all } = this.question;
    const head = ["id", "name", "experiment", "status", "started", "duration_s", "parent", ...columns];
    const rows = [];
    for (let offset = 0; offset < this.total; offset += EXPORTED) {
      const found = await ask("/api/runs", { where, sort, columns, all, offset, limit: EXPORTED });
      for (const row of found.rows) rows.push([...head.slice(0, 7).map((name) => row[name]), ...row.values]);
      if (!found.rows.length) break;
    }
    download("runs.csv", csv([head, ...rows]), "text/csv");
  }

  /** Act while all rows, as many as a picture holds, and all columns are there. */
  async whole(act) {
    const { node, total } = this;
    const rows = Math.min(total, PICTURED);
    for (let page = 0; page * PAGE < rows; page++) if (!this.pages.has(page)) await this.fetch(page, this.asked);
    const { scrollTop, scrollLeft } = node;
    const height = `${this.head.offsetHeight + rows * ROW}px`;
    Object.assign(node.style, { flex: "none", maxHeight: "none", width: this.table.style.width, height });
    node.scrollTo(0, 0);
    this.draw();
    try {
      await act();
    } finally {
      Object.assign(node.style, { flex: "", maxHeight: "", width: "", height: "" });
      node.scrollTo(scrollLeft, scrollTop);
      this.draw();
    }
  }

  range() {
    const from = Math.max(0, Math.floor(this.node.scrollTop / ROW) - BEYOND);
    const to = Math.min(this.total, Math.ceil((this.node.scrollTop + this.node.clientHeight) / ROW) + BEYOND);
    return [from, to];
  }

  later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.question && this.phone !== PHONE.matches) this.layout(this.first(PAGE));
      this.draw();
    });
  }

  draw() {
    if (!this.question) return;
    const { scrollWidth, scrollLeft, clientWidth } = this.node;
    this.node.classList.toggle("more", scrollWidth - scrollLeft - clientWidth > 2); // columns beyond the edge
    const [from, to] = this.range();
    const rows = [];
    for (let place = from; place < to; place++) {
      const row = this.row(place);
      rows.push(row ? this.line(row, place) : h("tr", {}, h("td"), h("td", { class: "quiet" }, "…")));
      if (!row) this.want(Math.floor(place / PAGE));
    }
    const active = this.body.contains(document.activeElement) ? document.activeElement : null;
    const line = active?.closest("tr");
    const at = line?.dataset.run;
    const which = at ? [...line.querySelectorAll(active.tagName)].indexOf(active) : 0;
    fill(this.body, spacer(from), rows, spacer(this.total - to));
    if (at)
      [...this.body.rows]
        .find((row) => row.dataset.run === at)
        ?.querySelectorAll(active.tagName)
        [which]?.focus();
    if (this.all) {
      const shown = this.first(AT_ONCE);
      const chosen = shown.filter((row) => this.selected.includes(row.id)).length;
      this.all.checked = shown.length > 0 && chosen === shown.length;
      this.all.indeterminate = chosen > 0 && chosen < shown.length;
    }
  }

  want(page) {
    if (this.wanted?.has(page)) return;
    (this.wanted ??= new Set()).add(page);
    const asked = this.asked;
    this.fetch(page, asked)
      .then(
        () => this.later(),
        () => {},
      )
      .finally(() => this.wanted.delete(page));
  }

  line(row, place) {
    const chosen = this.selected.includes(row.id);
    const seconds = row.duration_s ?? (row.status === "running" ? (Date.now() - Date.parse(row.started)) / 1000 : null);
    const tick = h("input", {
      type: "checkbox",
      checked: chosen,
      "aria-label": `Select ${row.name}`,
      onclick: (event) => this.toggle(place, event.shiftKey),
    });
    return h(
      "tr",
      {
        class: `${chosen ? "chosen" : ""} ${place === this.current ? "current" : ""} ${isArchived(row) ? "archived" : ""}`,
        "aria-rowindex": place + 2,
        "data-run": row.id,
      },
      h("td", {}, tick, " ", this.dotOf(row), this.eye(row)),
      h(
        "td",
        { title: `${row.name}  ${row.id}` },
        named(runLink(row.id, this.nameOf(row)), row.name),
        isArchived(row) ? h("span", { class: "quiet" }, "  archived") : null,
        row.tags.pinned ? h("span", { title: "pinned" }, " ⚲") : null,
        row.children ? h("span", { class: "quiet" }, `  +${row.children}`) : null,
      ),
      this.mixed ? h("td", { title: row.experiment }, this.chooser(row.experiment)) : null,
      this.shows("status") &&
        h("td", { title: statusText(row) }, h("span", { class: `status ${row.status}` }, row.status)),
      row.values.map((value, column) =>
        h("td", { class: this.columns[column].number ? "number" : "", title: text(value) }, cell(value)),
      ),
      this.shows("started") && h("td", { class: "quiet", title: row.started }, ago(row.started)),
      this.shows("duration") && h("td", { class: "number" }, duration(seconds)),
    );
  }

  /** A button that shows the runs of an experiment alone. */
  chooser(name) {
    const title = "Show only this experiment";
    return h("button", { type: "button", class: "plain within", title, onclick: () => this.on.experiment(name) }, name);
  }

  /** A button that takes a run out of the charts, which stays in the table; null where it has none there. */
  eye(row) {
    const hidden = this.on.hidden?.(row.id) ?? null;
    if (hidden === null) return null;
    return h("button", {
      type: "button",
      class: "plain eye",
      "aria-label": `Hide ${row.name} in the charts`,
      "aria-pressed": String(hidden),
      title: hidden ? "Show in the charts" : "Hide in the charts",
      onclick: () => this.on.hide(row.id),
    });
  }

  toggle(place, range = false) {
    const places = range && this.anchor !== null ? span(this.anchor, place) : [place];
    const ids = places.map((item) => this.row(item)?.id).filter(Boolean);
    const row = this.row(place);
    if (!row) return;
    const on = !this.selected.includes(row.id);
    this.anchor = place;
    this.current = place;
    this.on.select(on ? [...new Set([...this.selected, ...ids])] : this.selected.filter((id) => !ids.includes(id)));
  }

  selectLoaded() {
    const ids = this.first(AT_ONCE).map((row) => row.id);
    this.on.select(
      this.all.checked ? [...new Set([...this.selected, ...ids])] : this.selected.filter((id) => !ids.includes(id)),
    );
  }

  key(event) {
    if (event.target !== this.node && event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: 20, PageUp: -20, Home: -1e9, End: 1e9 }[event.key];
    if (step) {
      event.preventDefault();
      this.current = Math.max(0, Math.min(this.total - 1, this.current + step));
      const top = this.current * ROW;
      const room = this.node.clientHeight - 2 * ROW;
      if (top < this.node.scrollTop) this.node.scrollTop = top;
      else if (top > this.node.scrollTop + room) this.node.scrollTop = top - room;
      this.draw();
    } else if (event.key === " " && this.row(this.current)) {
      event.preventDefault();
      this.toggle(this.current, event.shiftKey);
    } else if (event.key === "Enter" && this.row(this.current)) {
      this.on.open(this.row(this.current).id);
    } else if (event.key === "c") {
      this.on.compare();
    } else if (event.key === "Escape") {
      this.on.select([]);
    }
  }
}

/** A link with the whole name for those who hear it. */
function named(link, name) {
  if (link.textContent !== name) link.setAttribute("aria-label", name);
  return link;
}

const nameOf = (button) => button.ariaLabel || button.title;
const focusedIn = (node) => (node.contains(document.activeElement) ? nameOf(document.activeElement) : "");
const nameWidth = (row) => row.name.length * LETTER + (row.children ? 52 : 24) + (isArchived(row) ? 66 : 0);

/** True for rows of several experiments, unless these are a column already. */
const isMixed = (rows, columns) =>
  new Set(rows.map((row) => row.experiment)).size > 1 && !columns.some((column) => column.field === "experiment");

const span = (one, other) =>
  Array.from({ length: Math.abs(one - other) + 1 }, (_, place) => Math.min(one, other) + place);

function spacer(rows) {
  return rows > 0 ? h("tr", { "aria-hidden": "true", style: `height:${rows * ROW}px` }, h("td")) : null;
}

function cell(value) {
  return value === null || value === undefined ? "" : typeof value === "number" ? number(value) : text(value);
}

function isNumeric(rows, place) {
  const values = rows.map((row) => row.values[place]).filter((value) => value !== null);
  return (
    values.length > 0 &&
    values.every(
      (value) => typeof value === "number" || value === "NaN" || value === "Infinity" || value === "-Infinity",
    )
  );
}
