// What stands in place of the table where there is none.

import { h, link, saidOf } from "./dom.js";

const page = (title, ...lines) => h("div", { class: "empty" }, h("h1", {}, title), lines);
const line = (...words) => h("p", {}, ...words);

export function notUnderstood() {
  const whole = h("code", {}, 'params.lr < 0.1 and status == "finished"');
  return page("This query can't be understood", line("The box above shows where. ", whole, " is one that can."));
}

export function notShown(error) {
  return page("This can't be shown", line(saidOf(error)), line(link("/", "All runs")));
}

export function nothingFound() {
  return page(
    "No run matches",
    line(
      "Take a part of the query away, choose another experiment, or tick ",
      h("b", {}, "children"),
      ": candidates of a search are children of it.",
    ),
  );
}

export function nothingYet() {
  const code = (words) => h("pre", { tabindex: 0 }, words);
  return page(
    "No runs yet",
    line("Record one: put these two lines at the top of a training script,"),
    code("import runlore\nrunlore.autolog()"),
    line("or start the script as it is:"),
    code("runlore run train.py"),
    line("It appears here while it trains."),
  );
}

export function storeGone(root) {
  const told = line(h("code", {}, root), " was removed or renamed. What is recorded there from now on appears here.");
  const node = page("The store is not there any more", told);
  node.classList.add("gone");
  return node;
}
