// Groups in place of runs: their table, what stands below it, and the runs of those that are expanded.

import { ask } from "./api.js";
import { chooseGroups } from "./choosers.js";
import { fill, h, popover, trying } from "./dom.js";
import { csv, download } from "./download.js";
import { labels } from "./fields.js";
import { count } from "./format.js";
import { groupQuery, groupRows, groupTable, leftOut, MEMBERS, testLines } from "./groups.js";
import { write } from "./state.js";

/** Shows groups in `host`, above `foot`. `on` has keys(), load(), which asks anew, and open(), which shows the address. */
export class Grouped {
  constructor(host, foot, on) {
    Object.assign(this, { host, foot, on, order: null });
  }

  /** Show what the server has `found`, an answer for each of some metrics. */
  show(found, { group: by, over, q = "" }, metrics) {
    this.rows = () => groupRows(found, by);
    const members = new Map();
    const table = {
      members,
      keep: async (group) => memberRows(group, [...over, ...metrics], await membersOf(group, [...over, ...metrics], Infinity)),
      expand: trying(async (group) => {
        const key = JSON.stringify(group.by);
        if (!members.delete(key)) members.set(key, await membersOf(group, [...over, ...metrics]));
        draw();
      }),
      sort: (order) => {
        this.order = order;
        draw();
      },
      open: (group) => {
        write({ q: groupQuery(q, group), group: null, sel: null }, { push: true });
        this.on.open();
      },
    };
    const draw = () =>
      fill(
        this.host,
        groupTable(found, by, this.order, table),
        testLines(found, by),
        leftOut(found[0].left_out),
        this.foot,
      );
    this.fillFoot(found[0].groups.length, over);
    draw();
  }

  /** Give the browser the groups as CSV. */
  keep() {
    download("groups.csv", csv(this.rows()), "text/csv");
  }

  fillFoot(groups, over) {
    const put = (patch) => {
      write(patch);
      this.on.load();
    };
    fill(
      this.foot,
      h("span", {}, `${count(groups, "group")}: mean ± half of the 95 % interval (best)`),
      h("span", { class: "grow" }),
      popover(
        over.length ? `Over ${labels(over).join(", ")}` : "Over …",
        (box) => chooseGroups(box, this.on.keys(), over, (fields) => put({ over: fields })),
        { title: "Fields that tell repetitions apart: runs of a group that differ only in these are compared in pairs" },
      ),
      h("button", { type: "button", onclick: () => put({ group: null }) }, "Ungroup"),
    );
  }
}

/** The runs of a group that count, the first ones, each with the values of some fields. */
async function membersOf(group, columns, most = MEMBERS) {
  const found = new Map();
  const ids = group.runs.slice(0, most);
  for (let at = 0; at < ids.length; at += MEMBERS) {
    const where = `id in ${JSON.stringify(ids.slice(at, at + MEMBERS))}`;
    const { rows } = await ask("/api/runs", { where, all: ["children", "archived"], columns, limit: MEMBERS });
    for (const row of rows) found.set(row.id, row);
  }
  return ids.filter((id) => found.has(id)).map((id) => found.get(id));
}

/** Runs of a group as rows of a file, each with what the group has in common. */
function memberRows({ by }, columns, runs) {
  const line = (run) => [run.id, run.name, run.status, ...Object.values(by), ...run.values];
  return [["id", "name", "status", ...Object.keys(by), ...columns], ...runs.map(line)];
}
