// The keys that the page knows: `/` and `?` everywhere, and the list of all that others know.

import { fill, h, popover } from "./dom.js";

const KEYS = {
  Everywhere: [
    ["?", "these keys"],
    ["/", "search for runs"],
    ["Esc", "close a box, leave a name or a note as it was"],
    ["← →", "other tabs, and the width of the table at its edge"],
  ],
  "While searching": [
    ["Enter", "show what fits"],
    ["Tab", "take the suggestion"],
    ["↓ ↑", "through the suggestions; ↓ without any: into the table"],
  ],
  "In the table": [
    ["↓ ↑ or j k", "the next run, the one before"],
    ["PageDown PageUp", "twenty runs further"],
    ["Home End", "the first run, the last"],
    ["Space", "select the run; with shift all from the last one on"],
    ["Enter", "open the run"],
    ["c", "compare the selected runs"],
    ["Esc", "select none"],
  ],
};
const WITHOUT_TEXT = /^(checkbox|radio|range|button|submit)$/;

/** The button that lists the keys; from here on `?` opens it, and `/` leads to the search. */
export function keysButton() {
  const button = popover("?", list, { class: "plain", "aria-label": "Keys", title: "Keys (?)" });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping() || document.querySelector(".pop")) return;
    const found = { "?": button, "/": document.querySelector(".query input") }[event.key];
    if (!found) return;
    event.preventDefault();
    if (found === button) button.click();
    else found.focus();
  });
  return button;
}

function list(box) {
  box.classList.add("keys");
  const line = ([keys, does]) => [
    h("dt", {}, keys.split(" ").map((part) => (part === "or" ? " or " : [h("kbd", {}, part), " "]))),
    h("dd", {}, does),
  ];
  fill(
    box,
    Object.entries(KEYS).map(([place, lines]) => [h("h3", {}, place), h("dl", {}, lines.map(line))]),
  );
}

/** True while a key writes text, or chooses in a list. */
function isTyping() {
  const { tagName, type } = document.activeElement ?? {};
  return /^(TEXTAREA|SELECT)$/.test(tagName) || (tagName === "INPUT" && !WITHOUT_TEXT.test(type));
}
