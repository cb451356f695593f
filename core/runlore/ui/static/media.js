// Media of runs by step: images, tables, histograms and the like, those of several runs beside each other.

import { ask } from "./api.js";
import { dot, placesOf, replaced } from "./colours.js";
import { debounce, fill, h } from "./dom.js";
import { distinct, finder } from "./format.js";
import { contentAddress, lookInto, pictureOf } from "./look.js";

const MOST = 10; // runs; the server takes no more
const PICTURES = /\.(png|jpe?g|gif|webp|bmp|svg)$/i;

/** The media of runs, with a slider for the step or the epoch. `state` reads {find, at, along}; `save(patch)` writes it. */
export class Media {
  constructor(state, save) {
    Object.assign(this, { state, save, keys: new Map() });
    this.note = h("p", { class: "quiet" });
    this.list = h("div");
    this.node = h(
      "div",
      { class: "charts media", tabindex: 0, role: "region", "aria-label": "Media" },
      this.note,
      this.list,
    );
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 0,
      "aria-label": "Step",
      style: "width:160px",
      oninput: (event) => this.go(Number(event.target.value)),
    });
    this.step = h("span", { class: "mono quiet" });
    this.along = h("span", {}, "step");
    this.controls = [
      h("span", { class: "check" }, this.along, this.slider, this.step),
      h("input", {
        type: "search",
        value: state().find || "",
        placeholder: "find media",
        "aria-label": "Find media",
        oninput: debounce(200, (event) => {
          save({ find: event.target.value });
          if (this.isPart) this.show({ runs: this.runs });
          else this.draw();
        }),
      }),
    ];
  }

  /** Show the media of {runs}: [{id, name}]. */
  async show({ runs = [] }) {
    const asked = (this.asked = {});
    this.runs = runs.slice(0, MOST);
    const asking = { runs: this.runs.map((run) => run.id), find: this.state().find };
    const found = runs.length ? await ask("/api/media", asking) : { keys: [], runs: [], left_out: 0 };
    if (asked !== this.asked) return;
    const places = new Map(placesOf(runs.map((run) => run.id)).map((place, at) => [runs[at].id, place]));
    this.found = found.keys;
    this.leftOut = found.left_out;
    this.isPart = Boolean(this.leftOut || asking.find); // another word may find others
    this.shown = distinct(found.runs).map((run) => ({ ...run, place: places.get(run.id) }));
    this.place();
    this.draw();
  }

  /** Read the places of the slider, and which of them the address has. */
  place() {
    const items = this.found.flatMap((item) => Object.values(item.runs).flat());
    const hasEpochs = items.some((item) => item.epoch !== null);
    this.way = hasEpochs && this.state().along === "epoch" ? "epoch" : "step";
    if (hasEpochs !== Boolean(this.along.querySelector("select"))) fill(this.along, hasEpochs ? this.choice() : this.way);
    this.slider.ariaLabel = this.way === "epoch" ? "Epoch" : "Step";
    const steps = items.map((item) => item[this.way]);
    this.steps = [...new Set(steps.filter((step) => step !== null))].sort((one, other) => one - other);
    const wanted = Number(this.state().at);
    const at = this.state().at ? this.steps.findLastIndex((step) => step <= wanted) : this.steps.length - 1;
    this.slider.max = Math.max(0, this.steps.length - 1);
    this.at = Math.max(0, at);
  }

  /** A choice of what the slider goes along: runs that log at different steps may do so at the same epochs. */
  choice() {
    const onchange = (event) => {
      this.save({ along: event.target.value === "epoch" ? "epoch" : null, at: null });
      this.place();
      this.draw();
    };
    const offer = (name) => h("option", { value: name, selected: name === this.way }, name);
    return h("select", { "aria-label": "What the slider goes along", onchange }, ["step", "epoch"].map(offer));
  }

  grown() {
    return this.runs ? this.show({ runs: this.runs }) : null;
  }

  /** Draw again where a run has another colour. */
  recolour() {
    if (this.shown && replaced(this.shown)) this.draw();
  }

  go(at) {
    this.at = at;
    this.remember(at);
    this.draw();
  }

  remember = debounce(150, (at) => this.save({ at: at === this.steps.length - 1 ? null : this.steps[at] }));

  draw() {
    const fits = finder(this.state().find ?? "");
    const step = this.steps[this.at];
    this.slider.value = this.at;
    this.slider.disabled = this.steps.length < 2;
    fill(this.step, step === undefined ? "" : String(step));
    const items = this.found.filter((item) => fits(item.key));
    fill(this.note, this.told(items.length));
    this.list.className = this.shown.length > 1 ? "" : "sections"; // those of several runs need the whole width
    fill(
      this.list,
      items.map((item) => this.section(item, step)),
    );
  }

  told(count) {
    if (this.leftOut) return `${this.leftOut.toLocaleString("en")} further keys are not shown: find them by name.`;
    if (count) return null;
    if (this.state().find) return "No media have such a name.";
    return "These runs have no media: run.log_media, log_table, log_histogram record them.";
  }

  section(item, step) {
    const cells = this.shown
      .filter((run) => item.runs[run.id])
      .map((run) => {
        const one = newest(item.runs[run.id], this.way, step);
        const own = one?.[this.way] ?? null;
        const host = h("div", { class: "medium" });
        if (one) this.fillWith(host, run, item, one);
        const when = own !== null && own !== step ? h("span", { class: "quiet" }, ` ${this.way} ${own}`) : null;
        const head = this.shown.length > 1 || when ? h("h4", {}, dot(run.place), " ", run.name, when) : null;
        return h("div", {}, head, one ? host : h("p", { class: "quiet" }, `Nothing up to this ${this.way}.`));
      });
    return h("section", { "data-media": item.key }, h("h3", {}, item.key), h("div", { class: "beside" }, cells));
  }

  /** Fill a node with one record. What was drawn before for the same one is used again, so that nothing flickers. */
  fillWith(host, run, item, one) {
    const name = `${run.id} ${one.position}`;
    let made = this.keys.get(name);
    if (!made) {
      made = h("div", {}, parts(run.id, one));
      this.keys.set(name, made);
      if (this.keys.size > 400) this.keys.delete(this.keys.keys().next().value);
    }
    host.append(made);
  }

  close() {
    this.asked = {};
  }
}

/** The newest record up to a step, or an epoch; those without one count as the oldest. */
const newest = (items, way, end) => items.findLast((item) => end === undefined || item[way] === null || item[way] <= end);

function parts(run, one) {
  const members = one.members.length ? one.members : [""];
  return members.map((member, at) => {
    const caption = one.captions[at] ? h("figcaption", {}, one.captions[at]) : null;
    return h("figure", {}, part(run, one, member), caption);
  });
}

function part(run, one, member) {
  const name = member || one.name;
  const address = contentAddress(run, one.position, member);
  const box = h("div");
  const look = () => lookInto(box, run, one.position, member);
  if (PICTURES.test(name)) return fill(box, pictureOf(run, one.position, member, name, look)); // a look says why it can't
  if (one.kind === "audio") return h("audio", { controls: true, preload: "none", src: address, "aria-label": name });
  if (one.kind === "video") return h("video", { controls: true, preload: "metadata", src: address, "aria-label": name });
  look();
  return box;
}
