// Which params tell of a metric: a table with the importance of each, and its correlation.

import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { keeper } from "./download.js";
import { fieldsOf, isMetric, label } from "./fields.js";
import { count, number } from "./format.js";
import { leftOut } from "./groups.js";
import { fieldChoice, preferred } from "./relations.js";

const FEW = 30; // runs below which importance is a hint at most

/** `place` as that of Dots. */
export class Importance {
  constructor(place) {
    this.place = place;
    this.box = h("div", { class: "importance" });
    this.news = h("p", { class: "quiet hidden" });
    this.node = h(
      "div",
      { class: "charts", tabindex: 0, role: "region", "aria-label": "Importance of params" },
      this.news,
      this.box,
    );
  }

  async show() {
    const metrics = fieldsOf(this.place.keys, this.place.columns()).filter(isMetric);
    const state = this.place.state();
    const metric = metrics.includes(state.im) ? state.im : preferred(this.place.columns(), metrics).metric;
    this.place.controls([fieldChoice(this.place, "im", "for", metrics, metric, () => this.show())]);
    this.news.classList.add("hidden");
    if (!metric) return void fill(this.box, h("p", { class: "quiet" }, "No run has a metric yet."));
    const asked = (this.asked = {});
    fill(this.box, h("p", { class: "quiet", role: "status" }, "Fitting a model of the runs: a few seconds …"));
    const { where, all } = this.place.question();
    let found;
    try {
      found = await ask("/api/importance", { where, all, metric });
    } catch (error) {
      if (asked === this.asked) fill(this.box, h("p", { class: "quiet" }, error.message));
      return;
    }
    if (asked === this.asked)
      fill(this.box, this.head(metric, found), table(found), explained(found), leftOut(found.left_out));
  }

  head(metric, found) {
    const fields = ["field", "importance", "correlation", "values"];
    const rows = () => [fields, ...found.params.map((item) => fields.map((name) => item[name]))];
    return h("div", { class: "told" }, this.verdict(found), keeper(`importance ${label(metric)}`, rows, () => this.box));
  }

  verdict({ runs, of, explained: share, why }) {
    const looked = runs < of ? `the newest ${count(runs, "run")} of ${of}` : count(runs, "run");
    if (why) return h("p", {}, `${looked[0].toUpperCase()}${looked.slice(1)}; no importance: ${why}.`);
    const weak = share <= 0 ? " It predicts nothing: what the bars show is chance." : "";
    const few = share > 0 && runs < FEW ? " So few runs show the strongest params at best." : "";
    const part = `${Math.max(0, Math.round(share * 100))} %`;
    return h("p", {}, `A model of ${looked} explains ${part} of the order of runs that it has not seen.${weak}${few}`);
  }

  /** Runs have come or grown: a model is fitted anew when somebody asks for it. */
  grown() {
    const again = h("button", { type: "button", onclick: () => this.show() }, "Compute again");
    fill(this.news, "Runs have changed since. ", again);
    this.news.classList.remove("hidden");
  }

  /** Nothing to do: it has no colours of runs. */
  recolour() {}

  close() {
    this.asked = {};
  }
}

function table({ params, beyond }) {
  if (!params.length) return null;
  const modelled = params.some((item) => item.importance !== null);
  const head = (words, title) => h("th", { scope: "col", title }, words);
  const line = ({ field, values, importance, correlation, alike }) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        label(field),
        alike.length ? h("span", { class: "quiet" }, ` with ${alike.map(label).join(", ")}`) : null,
      ),
      modelled
        ? h("td", {}, bar(importance, 0), h("span", { class: "mono" }, `${(importance * 100).toFixed(0)} %`))
        : null,
      h(
        "td",
        {},
        correlation === null ? "–" : [bar(correlation, 1), h("span", { class: "mono" }, signed(correlation))],
      ),
      h("td", { class: "number" }, number(values)),
    );
  const heads = [
    head("param"),
    modelled ? head("importance") : null,
    head("correlation", "Spearman's"),
    h("th", { scope: "col", class: "number" }, "values"),
  ];
  return [
    h("table", { class: "list" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, params.map(line))),
    beyond
      ? h(
          "p",
          { class: "quiet" },
          `${count(beyond, "param")} more differ and ${beyond === 1 ? "is" : "are"} not looked at.`,
        )
      : null,
  ];
}

/** A bar from the left, or, where `signed`, from the middle to either side. */
function bar(share, isSigned) {
  const wide = Math.abs(share) * (isSigned ? 50 : 100);
  const left = isSigned ? (share < 0 ? 50 - wide : 50) : 0;
  const inner = h("span", { style: `left:${left}%;width:${wide}%`, class: share < 0 ? "against" : "" });
  return h("span", { class: isSigned ? "share signed" : "share", "aria-hidden": "true" }, inner);
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function explained({ why }) {
  const model =
    "Importance: how much worse random forests predict where a param is shuffled, as a part of what all params tell; measured on runs that they have not seen. ";
  return h(
    "p",
    { class: "quiet" },
    why ? "" : model,
    "Correlation: Spearman's, from −1 to +1, of params that are numbers. Both look at the order of the runs, so no single run that diverged decides. ",
    "Neither tells causes, nor what was never tried.",
  );
}
