// The button that says which experiment is shown, with a list of all to choose from.

import { ask } from "./api.js";
import { closePopover, fill, h, popover } from "./dom.js";
import { ago, count, finder } from "./format.js";

const MOST = 200; // experiments that the list shows

/** The button; `current` is an experiment or "", `choose(name)` is called with another. */
export function experimentButton(current, choose) {
  const name = h("span", { class: "who" }, current || "All experiments");
  return popover(
    [name, " ▾"],
    async (box) => {
      const list = h("div");
      const search = h("input", {
        type: "search",
        placeholder: "Find an experiment",
        "aria-label": "Find an experiment",
        oninput: () => draw(),
      });
      box.append(search, list);
      search.focus();
      const { experiments } = await ask("/api/experiments");
      const all = { name: "", runs: experiments.reduce((sum, item) => sum + item.runs, 0) };
      const entry = (item) =>
        h(
          "button",
          {
            type: "button",
            class: "plain choice",
            "aria-pressed": String(item.name === current),
            onclick: () => {
              closePopover();
              choose(item.name);
            },
          },
          h("span", { class: "who" }, item.name || "All experiments"),
          h("span", { class: "quiet" }, count(item.runs, "run"), item.newest ? `, ${ago(item.newest)}` : ""),
        );
      const draw = () => {
        const fits = finder(search.value);
        const found = experiments.filter((item) => fits(item.name));
        const rest = found.length - MOST;
        fill(
          list,
          search.value ? null : entry(all),
          found.slice(0, MOST).map(entry),
          rest > 0 ? h("p", { class: "quiet" }, `and ${rest} more: type a part of the name`) : null,
        );
      };
      draw();
    },
    { class: "experiment", "aria-label": `Experiment: ${current || "all"}`, title: "Experiment" },
  );
}

/** The query for the runs of an experiment that fulfil another query. */
export function within(experiment, where) {
  if (!experiment) return where;
  const own = `experiment == ${JSON.stringify(experiment)}`;
  return where ? `${own} and (${where})` : own;
}
