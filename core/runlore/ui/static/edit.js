// The form in the head of a run's page: its name, experiment and description, edited in place.

import { change, runPath } from "./api.js";
import { fill, h } from "./dom.js";

/** The form; `done(changed)` is called once it is saved or left. */
export function editForm(run, done) {
  const before = { name: run.name, experiment: run.experiment, description: run.tags.description ?? "" };
  const boxes = {
    name: h("input", { type: "text", value: before.name, spellcheck: "false" }),
    experiment: h("input", { type: "text", value: before.experiment, spellcheck: "false" }),
    description: h("textarea", { rows: 2, value: before.description }),
  };
  const problem = h("p", { class: "problem hidden", role: "alert" });
  let busy = false;

  async function save() {
    const told = Object.entries(boxes)
      .map(([key, box]) => [key, box.value.trim()])
      .filter(([key, value]) => value !== before[key].trim());
    if (busy) return;
    if (!told.length) return void done(false);
    busy = true;
    problem.classList.add("hidden");
    try {
      await change(`${runPath(run.id)}/edit`, Object.fromEntries(told));
    } catch (error) {
      problem.classList.remove("hidden");
      fill(problem, error.message);
      return;
    } finally {
      busy = false;
    }
    done(true);
  }

  const node = h(
    "form",
    {
      class: "edit",
      "aria-label": "Name, experiment and description",
      onsubmit: (event) => {
        event.preventDefault();
        save();
      },
      onkeydown: (event) => {
        const leaves = event.key === "Escape";
        const saves = event.key === "Enter" && event.target === boxes.description && !event.shiftKey;
        if (event.isComposing || !(leaves || saves)) return;
        event.preventDefault();
        if (leaves) done(false);
        else save();
      },
    },
    h("label", {}, h("span", {}, "Name"), boxes.name),
    h("label", {}, h("span", {}, "Experiment"), boxes.experiment),
    h("label", {}, h("span", {}, "Description"), boxes.description),
    h(
      "div",
      { class: "row" },
      h("button", { type: "submit", class: "main" }, "Save"),
      h("button", { type: "button", onclick: () => done(false) }, "Cancel"),
      h(
        "span",
        { class: "quiet" },
        `Enter saves, Esc leaves it as it was.${run.children_count ? " Its children move along to another experiment." : ""}`,
      ),
    ),
    problem,
  );
  return { node, focus: () => boxes.name.select() };
}
