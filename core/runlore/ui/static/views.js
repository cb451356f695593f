// Views with names: addresses of the page that this browser remembers, to come back to by a click.

import { closePopover, fill, form, h, popover } from "./dom.js";
import { remember, remembered } from "./state.js";

const MOST = 100; // views
const LONGEST = 100; // characters of a name

/** The button that lists the views and saves the one that is shown; `go(address)` shows another. */
export function viewsButton(go) {
  return popover("Views", (box) => {
    const list = h("div", { class: "shown" });
    const name = h("input", { type: "text", maxlength: LONGEST, placeholder: "A name for this view", "aria-label": "Name of this view" });
    const draw = (views) => {
      const keep = (left) => {
        remember("views", JSON.stringify(left));
        draw(left);
      };
      const line = (view) => {
        const show = () => {
          closePopover();
          go(`/${view.search}`);
        };
        const forget = () => keep(views.filter((one) => one !== view));
        return h(
          "div",
          {},
          h("span", {}, h("button", { type: "button", class: "plain", onclick: show }, view.name)),
          h("button", { type: "button", class: "plain", "aria-label": `Forget ${view.name}`, title: "Forget", onclick: forget }, "×"),
        );
      };
      fill(list, views.length ? views.map(line) : h("p", { class: "quiet" }, "None yet. This browser remembers them."));
      return keep;
    };
    draw(known());
    const save = () => {
      const view = { name: name.value.trim(), search: location.search };
      if (!view.name) return;
      draw(known())([view, ...known().filter((one) => one.name !== view.name)].slice(0, MOST));
      name.value = "";
    };
    box.append(list, form([name], "Save", save));
  });
}

/** The views that are saved. */
function known() {
  try {
    const views = JSON.parse(remembered("views", "[]"));
    return views.filter(({ name, search }) => typeof name === "string" && /^(\?|$)/.test(search));
  } catch {
    return []; // whatever else wrote there
  }
}
