// Boxes to choose fields: the columns of the table, and the fields that form groups.

import { fill, h, say } from "./dom.js";

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

/** Fields that a column can show. Without a choice the server suggests those that tell runs apart. */
export function chooseColumns(box, keys, chosen, save) {
  const items = Object.entries(SECTIONS).flatMap(([table, section]) => {
    const shown = (keys[table] ?? []).filter((item) => table !== "env" || !item.key.startsWith("packages."));
    return shown.map(({ field, runs }) => ({ field, section, runs: table === "env" ? "" : runs }));
  });
  tickList(box, items, chosen, save, "Find a column", COLUMNS);
  const reset = h("button", { type: "button", onclick: () => save([]) }, "Those that tell runs apart");
  box.append(h("div", { class: "row" }, reset));
}

function tickList(box, items, chosen, save, label, most) {
  const list = h("div");
  let ticked = [...chosen];
  const turn = (field, tick) => {
    const on = tick.checked && ticked.length < most;
    if (tick.checked && !on) say(`At most ${most} can be chosen.`, { bad: true });
    if (tick.checked !== on) return void (tick.checked = on);
    ticked = on ? [...ticked, field] : ticked.filter((item) => item !== field);
    save(ticked);
  };
  const draw = (wanted) => {
    let section = "";
    const shown = items.filter((item) => item.field.toLowerCase().includes(wanted.toLowerCase())).slice(0, MOST);
    const lines = shown.map((item) => {
      const begins = item.section && item.section !== section;
      if (begins) section = item.section;
      const tick = h("input", {
        type: "checkbox",
        checked: ticked.includes(item.field),
        onchange: (event) => turn(item.field, event.target),
      });
      return [
        begins ? h("h3", {}, section) : null,
        h("label", { class: "check" }, tick, h("span", {}, item.field), h("span", {}, item.runs ?? "")),
      ];
    });
    fill(list, lines, shown.length ? null : h("p", { class: "quiet" }, "Nothing is called so."));
  };
  box.append(
    h("input", {
      type: "search",
      placeholder: label,
      "aria-label": label,
      oninput: (event) => draw(event.target.value),
    }),
    list,
  );
  draw("");
}
