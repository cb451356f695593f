// A page that was sent: the runs, charts and differences of a view, from what lies within the page itself.

import { content, read, write } from "./snapshot.js";
import { dot, placesOf } from "./colours.js";
import * as compare from "./compare.js";
import { Curves } from "./curves.js";
import { fill, h, say, trying } from "./dom.js";
import { turned } from "./fields.js";
import { duration, moment, statusText } from "./format.js";
import { groupTable, leftOut, testLines } from "./groups.js";
import { overview } from "./overview.js";
import { repaint } from "./plot.js";
import { RunTable } from "./table.js";

const sheet = h("div", { class: "sheet report" });

function section(title, ...children) {
  const node = h("section", {}, h("h2", {}, title), children);
  sheet.append(node);
  return node;
}

function head() {
  fill(
    sheet,
    h("h1", {}, content.title),
    h("p", { class: "quiet" }, content.about),
    content.said.map((line) => h("p", { class: "quiet" }, line)),
  );
}

/** The table of runs; a tick chooses whose curves are drawn, of those that the page has. `view()` returns their charts. */
async function runs(view) {
  let shown = content.drawn;
  const table = new RunTable(
    {
      sort: (field, also) => {
        write({ sort: turned(read().sort ?? "", field, also) });
        load();
      },
      select: (ids) => {
        table.selected = ids.filter((id) => content.curved.includes(id));
        if (table.selected.length < ids.length) say(`This page has the curves of ${content.curved.length} runs only.`);
        shown = table.selected.length ? table.selected : content.drawn;
        table.draw();
        view()?.draw(shown);
      },
      open: (id) => document.getElementById(`run-${id}`)?.scrollIntoView(),
      loaded: () => {},
      point: () => {},
    },
    ({ id }) => {
      if (!shown.includes(id)) return h("span", { class: "dot" });
      return dot(view()?.placeOf(id) ?? placesOf(shown)[shown.indexOf(id)]);
    },
  );
  const load = trying(() => table.load({ where: "", sort: read().sort ?? "", columns: content.columns, less: read().less }));
  table.node.style.maxHeight = "60vh";
  section("Runs", table.node);
  await load();
  return table;
}

function groups() {
  let order = null;
  const host = section("Groups");
  const title = host.firstElementChild;
  const draw = () =>
    fill(
      host,
      title,
      groupTable(content.groups, content.by, order, {
        sort: (chosen) => {
          order = chosen;
          draw();
        },
      }),
      testLines(content.groups, content.by),
      leftOut(content.groups[0].left_out),
    );
  draw();
}

/** The charts of the page; `shaded()` hears that a field gives the runs their colours. */
function charts(shaded) {
  const view = new Curves(read, write, { fixed: true, fields: async () => [read().colour], shaded });
  section("Charts", h("div", { class: "controls", style: "padding-left:0" }, view.controls), view.node);
  return {
    placeOf: (id) => view.placeOf(id),
    draw: trying((ids) => view.show({ runs: ids.map((id) => ({ id, name: id })) })),
    bands: () => view.showGroups({}, Object.keys(content.bands), content.groups[0].groups.map((group) => group.by)),
  };
}

async function differences() {
  const host = h("div");
  section("Comparison", host);
  await compare.show(host, { go: null, curves: false });
}

/** Everything about a run, folded. */
function details(run) {
  const node = h("div");
  const summary = h("summary", {}, run.name, " ", h("span", { class: `status ${run.status}` }, statusText(run)));
  const facts = [moment(run.started), duration(run.duration_s), run.experiment, run.tags.description];
  sheet.append(
    h(
      "details",
      { id: `run-${run.id}`, class: "one", open: content.details.length === 1 },
      summary,
      h("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")),
      node,
    ),
  );
  overview(node, run, null);
}

async function show() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
    repaint();
  };
  dark.addEventListener("change", theme);
  theme();
  document.title = content.title;
  document.body.replaceChildren(h("main", {}, sheet));
  head();
  if (content.groups) {
    groups();
    if (Object.keys(content.bands).length) charts().bands();
  } else {
    let view = null;
    let table = null;
    if (content.compared) await differences();
    else if (content.table.rows.length) table = await runs(() => view);
    if (Object.keys(content.curves).length) {
      view = charts(() => table?.draw());
      await view.draw(content.drawn);
    }
  }
  if (content.details.length) section("Each run");
  content.details.forEach(details);
}

addEventListener("hashchange", () => {
  const place = document.getElementById(location.hash.slice(1));
  if (place) place.open = true;
});
show();
