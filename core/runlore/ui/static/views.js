// Views with names: addresses of the page that are kept for its user at this store, to come back to by a click.

import { closePopover, fill, form, h, popover, saidOf, say } from "./dom.js";
import { allRemembered, recall, remember } from "./memory.js";

const START = "view "; // of the names of choices that are views
const LONGEST = 100; // characters of a name

/** The button that lists the views and saves the one that is shown; `go(address)` shows another. */
export function viewsButton(go) {
  return popover("Views", async (box) => {
    const list = h("div", { class: "shown" });
    const name = h("input", { type: "text", maxlength: LONGEST, placeholder: "A name for this view", "aria-label": "Name of this view" });
    const keep = (view, search) => {
      remember(START + view, search).then((refusal) => refusal && say(saidOf(refusal), { bad: true }));
      draw();
    };
    const line = ([view, search]) => {
      const show = () => {
        closePopover();
        go(`/${search}`);
      };
      return h(
        "div",
        {},
        h("span", {}, h("button", { type: "button", class: "plain", onclick: show }, view)),
        h("button", { type: "button", class: "plain", "aria-label": `Forget ${view}`, title: "Forget", onclick: () => keep(view, null) }, "×"),
      );
    };
    const draw = () => {
      const views = allRemembered(START).filter(([, search]) => /^(\?|$)/.test(search));
      fill(list, views.length ? views.map(line) : h("p", { class: "quiet" }, "None yet. They are kept for you at this store."));
    };
    const save = () => {
      if (!name.value.trim()) return;
      keep(name.value.trim(), location.search);
      name.value = "";
    };
    draw();
    box.append(list, form([name], "Save", save));
    await recall().then(draw, () => {}); // another tab may have saved some
  });
}
