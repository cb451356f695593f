// The controls of charts of curves: what lies along x, smoothing, logarithms, outliers, which metrics.

import { chooseOne } from "./choosers.js";
import { debounce, fill, h, popover } from "./dom.js";

const AXES = { step: "step", epoch: "epoch", time: "wall time", relative: "relative time" };

/** The controls; `state` reads and `save` writes the address, `curves` has keys(), reset(), repaint(), outdateAll(), arrange(),
 * and where a field can colour runs fields() and reshade().
 *
 * Those of `fixed` curves ask for no others.
 */
export function curveControls(state, save, curves, fixed = false) {
  const axes = popover("Axes", (box) => {
    box.classList.add("offers");
    fill(box, fixed ? null : axis(), check("logx", "log x"), check("logy", "log y"), outliers());
  });
  const controls = [fixed ? null : smoothing(), axes, search()];
  if (!curves.fields || fixed) return controls;
  const colour = h("span");
  colourBy();
  return Object.assign([...controls, colour], { colour });

  function colourBy() {
    const choose = (field) => {
      save({ colour: field });
      colourBy();
      colour.querySelector("button").focus();
      curves.reshade();
    };
    fill(colour, chooseOne("colour", async () => ["", ...(await curves.fields())], state().colour ?? "", choose));
  }

  function axis() {
    const current = state().x || "step";
    const offer = ([name, title]) => h("option", { value: name, selected: current === name }, title);
    return h(
      "label",
      { class: "check" },
      "x",
      h(
        "select",
        {
          "aria-label": "What lies along x",
          onchange: (event) => {
            save({ x: event.target.value === "step" ? null : event.target.value });
            curves.reset();
          },
        },
        Object.entries(AXES).map(offer),
        h("optgroup", { label: "a metric" }, curves.keys().map((key) => offer([`metric:${key}`, key]))),
      ),
    );
  }

  function smoothing() {
    const shown = h("span", { class: "mono quiet" }, Number(state().smooth || 0).toFixed(2));
    const apply = debounce(150, (value) => {
      save({ smooth: Number(value) || null });
      curves.outdateAll();
    });
    return h(
      "label",
      { class: "check" },
      "smoothing",
      h("input", {
        type: "range",
        min: 0,
        max: 0.99,
        step: 0.01,
        value: state().smooth || 0,
        oninput: (event) => {
          fill(shown, Number(event.target.value).toFixed(2));
          apply(event.target.value);
        },
      }),
      shown,
    );
  }

  function check(name, label) {
    return box(label, state()[name] === "1", (on) => save({ [name]: on }));
  }

  function outliers() {
    return box("ignore outliers", state().outliers === "0", (on) => save({ outliers: on ? "0" : null }));
  }

  function box(label, checked, write) {
    const onchange = (event) => {
      write(event.target.checked);
      curves.repaint();
    };
    return h("label", { class: "check" }, h("input", { type: "checkbox", checked, onchange }), label);
  }

  function search() {
    return h("input", {
      type: "search",
      value: state().find || "",
      placeholder: "find a metric",
      title: "Words, of which a name has all; * for anything; /a regex/",
      "aria-label": "Find a metric",
      oninput: debounce(200, (event) => {
        save({ find: event.target.value });
        curves.arrange();
      }),
    });
  }
}
