// The page of a run: overview, charts, files, code, output, lineage, and the command that reproduces it.

import { ask, change, runPath } from "./api.js";
import { outer } from "./base.js";
import { Curves } from "./curves.js";
import { command, debounce, fill, form, h, modelLink, popover, runLink, say, tabs, trying } from "./dom.js";
import { editForm } from "./edit.js";
import { artifacts, code } from "./files.js";
import { ago, count, duration, isArchived, moment, short, size, statusText } from "./format.js";
import { Media } from "./media.js";
import { overview } from "./overview.js";
import { removeRuns } from "./selection.js";
import { read, write } from "./state.js";
import { lineageTree } from "./tree.js";

const TABS = {
  overview: "Overview",
  charts: "Charts",
  media: "Media",
  artifacts: "Artifacts",
  code: "Code & environment",
  output: "Output",
  lineage: "Lineage",
};
const MARKS = ["archived", "pinned"]; // tags that have buttons of their own
const TAIL = 200_000; // bytes of output that are read first
const MOST = 2_000_000; // characters of output that are shown

export async function show(host, { parameter, go }) {
  const page = new RunPage(host, parameter, go);
  await page.start();
  return page;
}

class RunPage {
  constructor(host, id, go) {
    Object.assign(this, { host, id, go });
    this.head = h("div", { class: "run-head" });
    this.tabs = h("div", { class: "run-tabs" });
    this.body = h("div", { class: "sheet" });
  }

  async start() {
    this.run = await ask(runPath(this.id));
    if (!this.host.isConnected) return;
    if (this.run.id !== this.id) history.replaceState(null, "", outer(`/run/${this.run.id}${location.search}`));
    this.id = this.run.id;
    this.files = JSON.stringify(this.run.artifacts);
    fill(this.host, this.head, this.tabs, this.body);
    this.draw();
  }

  draw() {
    this.title();
    const { tab } = read();
    this.open(Object.hasOwn(TABS, tab ?? "") ? tab : "overview");
  }

  title() {
    const { run } = this;
    document.title = `${run.name} · runlore`;
    if (this.editing) return; // what is being typed is not thrown away
    const seconds = run.duration_s ?? (run.status === "running" ? (Date.now() - Date.parse(run.started)) / 1000 : null);
    const focused = [...this.head.querySelectorAll("button")].indexOf(document.activeElement); // which news must not take away
    fill(
      this.head,
      h(
        "div",
        { class: "line", style: "margin:0" },
        h("h1", {}, run.name),
        h("span", { class: `status ${run.status}` }, statusText(run)),
        h("button", { type: "button", class: "plain", onclick: () => this.edit() }, "Edit"),
        h(
          "div",
          { class: "acts" },
          this.mark("/api/pin", "Pin", "Pinned", "pinned" in run.tags),
          this.mark("/api/archive", "Archive", "Archived", isArchived(run)),
          h(
            "button",
            {
              type: "button",
              class: "danger",
              onclick: trying(async () => {
                this.shown = null; // so that nothing more is asked for
                this.asking?.abort();
                const removed = await removeRuns([run.id], () => this.again()).catch((error) => {
                  this.draw();
                  throw error;
                });
                if (!removed) return this.draw();
                this.go("/");
                say(`${count(removed.length, "run")} removed`, {
                  action: {
                    name: "Undo",
                    run: trying(async () => {
                      await change("/api/undo", { runs: removed });
                      this.go(`/run/${run.id}`);
                    }),
                  },
                });
              }),
            },
            "Remove",
          ),
        ),
      ),
      h(
        "div",
        { class: "line quiet" },
        h("span", { class: "mono" }, run.id),
        h("span", {}, run.experiment),
        h("span", { title: moment(run.started) }, `started ${ago(run.started)}`),
        h("span", {}, `took ${duration(seconds)}`),
        run.models.map((model) => h("span", {}, "model ", modelLink(model))),
        run.parent ? h("span", {}, "part of ", runLink(run.parent, run.parent_name ?? short(run.parent))) : null,
        run.links.map((item) =>
          h(
            "span",
            {},
            `${String(item.kind).replaceAll("_", " ")} `,
            item.name ? runLink(item.run, item.name) : short(item.run),
            item.step === undefined || item.step === null ? "" : ` at step ${item.step}`,
          ),
        ),
      ),
      run.tags.description ? h("p", { class: "described" }, run.tags.description) : null,
      h("div", { class: "line" }, this.tagChips()),
    );
    if (focused >= 0) this.head.querySelectorAll("button")[focused]?.focus();
  }

  /** A button that marks the run, or takes the mark off. */
  mark(path, name, marked, on) {
    const onclick = trying(async () => {
      await change(path, { runs: [this.id], off: on });
      await this.again();
    });
    return h("button", { type: "button", "aria-pressed": String(on), onclick }, on ? marked : name);
  }

  /** Put a form in place of the head, until it is saved or left. */
  edit() {
    this.editing = true;
    const form = editForm(
      this.run,
      trying(async (changed) => {
        this.editing = false;
        if (changed) await this.again();
        else this.title();
        this.head.querySelector("button").focus();
      }),
    );
    fill(this.head, form.node);
    form.focus();
  }

  tagChips() {
    const { run } = this;
    const set = trying(async (tags) => {
      await change(`${runPath(run.id)}/tags`, { tags });
      await this.again();
    });
    return h(
      "div",
      { class: "chips" },
      Object.entries(run.tags)
        .filter(([key, value]) => key !== "description" && !(MARKS.includes(key) && value === "yes")) // which stand above
        .map(([key, value]) =>
          h(
            "span",
            { class: "chip" },
            `${key}: ${value}`,
            h(
              "button",
              { type: "button", "aria-label": `Take the tag ${key} off`, onclick: () => set({ [key]: null }) },
              "×",
            ),
          ),
        ),
      popover(
        "+ tag",
        (box, close) => {
          const key = h("input", { type: "text", placeholder: "key", "aria-label": "Key of the tag" });
          const value = h("input", { type: "text", placeholder: "value", "aria-label": "Value of the tag" });
          box.append(
            form([key, value], "Set", async () => {
              await set({ [key.value]: value.value });
              close();
            }),
          );
        },
        { class: "plain" },
      ),
    );
  }

  open(name) {
    this.curves?.close();
    this.curves = null;
    this.shown = name;
    const choose = (chosen) => {
      write({ tab: chosen === "overview" ? null : chosen, made: null });
      this.open(chosen);
      this.tabs.querySelector('[aria-selected="true"]').focus();
    };
    fill(this.tabs, tabs("Parts of the run", TABS, name, choose));
    this.body.className = name === "charts" || name === "media" ? "column" : "sheet";
    this[name]();
  }

  /** Ask for the run again, and show what has changed. */
  async again() {
    this.asking = new AbortController();
    this.run = await ask(runPath(this.id), {}, this.asking.signal);
    this.title();
    const files = JSON.stringify(this.run.artifacts);
    if (this.shown === "overview" || (this.shown === "artifacts" && files !== this.files)) this[this.shown]();
    this.files = files;
  }

  overview() {
    overview(this.body, this.run, () => this.again());
  }

  artifacts() {
    artifacts(this.body, this.run);
  }

  code() {
    code(this.body, this.run);
  }

  charts() {
    this.curves = new Curves(read, write, { systemOpen: true });
    fill(this.body, h("div", { class: "controls" }, this.curves.controls), this.curves.node);
    trying(() => this.curves.show({ runs: [{ id: this.id, name: this.run.name }], legend: false }))();
  }

  media() {
    this.curves = new Media(read, write);
    fill(this.body, h("div", { class: "controls" }, this.curves.controls), this.curves.node);
    trying(() => this.curves.show({ runs: [{ id: this.id, name: this.run.name }] }))();
  }

  async output() {
    const box = h("div", {
      class: "code output",
      tabindex: 0,
      role: "log",
      "aria-label": "Output",
      style: "max-height:none",
    });
    const note = h("p", { class: "quiet" });
    fill(this.body, note, box);
    let end = -TAIL;
    let printed = "";
    let busy = false;
    const more = async () => {
      const found = await ask(`${runPath(this.id)}/output`, { begin: end });
      if (this.shown !== "output" || !box.isConnected) return;
      box.classList.toggle("hidden", !found.kept);
      if (!found.kept) return void fill(note, "What it printed was not kept: RUNLORE_OUTPUT=1 keeps it.");
      if (end < 0)
        fill(note, found.begin > 0 ? `The last ${size(found.size - found.begin)} of ${size(found.size)}` : "");
      const atEnd = this.body.scrollHeight - this.body.scrollTop - this.body.clientHeight < 60;
      printed = (printed + found.text).slice(-MOST);
      end = found.end;
      fill(box, printed || " ");
      if (atEnd) this.body.scrollTop = this.body.scrollHeight;
      if (found.text && found.end < found.size) await more();
    };
    this.outputs = trying(async () => {
      if (busy) return void (this.unread = true);
      busy = true;
      try {
        do {
          this.unread = false;
          await more();
        } while (this.unread);
      } finally {
        busy = false;
      }
    });
    await this.outputs();
  }

  lineage() {
    const box = h("div");
    fill(
      this.body,
      h("section", {}, box),
      h("section", {}, h("h2", {}, "In the terminal"), command(`runlore lineage ${this.id}`)),
    );
    lineageTree(box, this.id);
  }

  // News

  news(told) {
    if (told.gone.includes(this.id)) return void say("This run was removed.");
    if (told.runs.includes(this.id) || told.more || told.hello) this.freshen();
  }

  freshen = debounce(
    150,
    trying(async () => {
      if (!this.shown) return;
      if (this.curves) await this.curves.grown();
      if (this.shown === "output") await this.outputs();
      const active = document.activeElement;
      const typing = this.body.contains(active) && /^(INPUT|TEXTAREA)$/.test(active.tagName);
      const writing = typing || [...this.body.querySelectorAll("textarea, input")].some((box) => box.value);
      if (this.shown === "overview" && writing) return; // a note that is being written is not thrown away
      if (this.shown) await this.again();
    }),
  );

  close() {
    this.curves?.close();
    this.shown = null;
  }
}
