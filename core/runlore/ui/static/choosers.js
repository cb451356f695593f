// Boxes to choose fields: the columns of the table, the fields that form groups, the axes of a picture.

import { DASHES } from "./colours.js";
import { closePopover, fill, h, popover, say } from "./dom.js";
import { AGGREGATES, label, withAggregate } from "./fields.js";
import { finder } from "./format.js";

const MOST = 150; // fields that a list shows
const GROUPING = 4; // fields that form groups; the server takes no more
const COLUMNS = 40; // of the table; the server takes no more
const SECTIONS = {
  metrics: "Metrics",
  params: "Params",
  summary: "Summary",
  tags: "Tags",
  data: "Data",
  env: "Environment",
};

/** Fields that can form groups: those of every run, then params and tags, the most frequent first. */
export function chooseGroups(box, keys, chosen, save) {
  const found = [...(keys.params ?? []), ...(keys.tags ?? [])].map(({ field, runs }) => ({ field, runs }));
  found.sort((one, other) => other.runs - one.runs);
  tickList(
    box,
    [{ field: "experiment" }, { field: "status" }, ...found],
    chosen,
    save,
    "Find a param or tag",
    GROUPING,
  );
}

/** Fields that a column can show. Without a choice the server suggests those that tell runs apart.
 *
 * `always` are columns of every run as [name, whether it is shown, turn(on)].
 */
export function chooseColumns(box, keys, chosen, save, always) {
  const own = ["experiment", "notes"].map((field) => ({ field, section: "Run" }));
  const items = Object.entries(SECTIONS).flatMap(([table, section]) => {
    const shown = (keys[table] ?? []).filter((item) => table !== "env" || !item.key.startsWith("packages."));
    return shown.map(({ field, runs }) => ({ field, section, runs: table === "env" ? "" : runs }));
  });
  const shown = h("div", { class: "shown" });
  const ticks = tickList(box, [...items, ...own], chosen, (fields) => order(fields, true), "Find a column", COLUMNS);
  /** List the columns in their order, each with a button that moves it before the one on its left. */
  function order(fields, changed) {
    if (changed) save(fields);
    const move = (at) => {
      const moved = fields.with(at - 1, fields[at]).with(at, fields[at - 1]);
      ticks(moved);
      order(moved, true);
      shown.querySelectorAll("button")[Math.max(0, at - 2)]?.focus();
    };
    const line = (field, at) =>
      h(
        "div",
        {},
        h("span", { title: field }, label(field)),
        at > 0 && h("button", { type: "button", class: "plain", "aria-label": `Move ${field} to the left`, onclick: () => move(at) }, "↑"),
      );
    fill(shown, fields.length > 1 ? [h("h3", {}, "Shown, from left to right"), fields.map(line)] : null);
  }
  order(chosen, false);
  box.firstChild.after(shown); // behind the field to search in
  const fixed = always.map(([name, on, turn]) =>
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: on, onchange: (event) => turn(event.target.checked) }), name),
  );
  box.append(h("h3", {}, "Of every run"), ...fixed);
  const reset = h("button", { type: "button", onclick: () => save([]) }, "Automatic: columns that tell runs apart");
  box.append(h("div", { class: "row" }, reset));
}

/** Other metrics for the chart of one; of several metrics each has a dash of its own. */
export function chooseMetrics(box, keys, chosen, save) {
  const items = keys.map((field) => ({ field }));
  tickList(box, items, chosen, save, "Find a metric to add", DASHES.length - 1);
}

/** A button with the label of a field, which opens a list to choose another; `name` tells what it is for.
 *
 * `fields` may be a function that promises them.
 */
export function chooseOne(name, fields, current, choose) {
  const title = current === null ? name : current === "" ? "none" : label(current);
  const chosen = (field) => {
    closePopover();
    choose(field);
  };
  const about = { "aria-label": current === null ? name : `${name}: ${title}`, class: "axis", title: current ?? name };
  const list = (box, found) => fieldList(box, found, current, chosen);
  const build = (box) => (Array.isArray(fields) ? list(box, fields) : fields().then((found) => list(box, found)));
  const button = popover(title, build, about);
  return current === null ? button : h("span", { class: "check" }, name, button);
}

/** Fill a box with fields to choose one of; `current` is pressed. */
export function fieldList(box, fields, current, choose) {
  const line = (field) => {
    const about = { type: "button", class: "plain choice", "aria-pressed": String(field === current) };
    return h("button", { ...about, onclick: () => choose(field) }, field === "" ? "none" : field);
  };
  searchable(box, "Find a field", (wanted) => {
    const found = fields.filter((field) => wanted(field || "none"));
    return [found.slice(0, MOST).map(line), beyond(found.length)];
  });
}

/** Fill a box with a field to search in, and the lines that fit; `lines(test)` makes them. */
function searchable(box, placeholder, lines) {
  const list = h("div");
  const draw = (words) => fill(list, lines(finder(words)));
  const oninput = (event) => draw(event.target.value);
  box.append(h("input", { type: "search", placeholder, "aria-label": placeholder, oninput }), list);
  draw("");
}

/** A line below a list that says what is not in it; "nothing" where nothing is. */
function beyond(amount) {
  if (!amount) return h("p", { class: "quiet" }, "Nothing has such a name.");
  return amount > MOST ? h("p", { class: "quiet" }, `and ${amount - MOST} more: type a part of the name`) : null;
}

/** A list with a box for each item; returns a function that takes another choice, which was made elsewhere. */
function tickList(box, items, chosen, save, placeholder, most) {
  let ticked = [...chosen];
  const turn = (field, tick) => {
    const on = tick.checked && ticked.length < most;
    if (tick.checked && !on) say(`At most ${most} can be chosen.`, { bad: true });
    if (tick.checked !== on) return void (tick.checked = on);
    ticked = on ? [...ticked, field] : ticked.filter((item) => item !== field);
    save(ticked);
  };
  const line = (item) =>
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: ticked.includes(item.field),
        onchange: (event) => turn(item.field, event.target),
      }),
      h("span", {}, item.field),
      h("span", {}, item.runs ?? ""),
    );
  /** A metric with a box for each of its aggregates. */
  const metric = (item) =>
    h(
      "div",
      { class: "check many" },
      h("span", { title: item.field }, label(item.field)),
      AGGREGATES.map((name) => {
        const field = withAggregate(item.field, name);
        const onchange = (event) => turn(field, event.target);
        const tick = h("input", { type: "checkbox", checked: ticked.includes(field), "aria-label": field, onchange });
        return h("label", { class: "check" }, tick, name);
      }),
      h("span", { class: "quiet" }, item.runs ?? ""),
    );
  searchable(box, placeholder, (fits) => {
    let section = "";
    const found = items.filter((item) => fits(item.field));
    const lines = found.slice(0, MOST).map((item) => {
      const begins = item.section && item.section !== section;
      if (begins) section = item.section;
      return [begins ? h("h3", {}, section) : null, item.section === SECTIONS.metrics ? metric(item) : line(item)];
    });
    return [lines, beyond(found.length)];
  });
  return (fields) => {
    ticked = [...fields];
  };
}
