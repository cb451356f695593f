// One run: what it was, how it went, what it left, where it comes from, and how to do it again.

import { ask, change, runPath } from "./api.js";
import { Curves } from "./curves.js";
import { command, debounce, fill, h, link, popover, runLink, say, tabs, trying } from "./dom.js";
import { ago, count, duration, moment, number, short, size, text } from "./format.js";
import { contentAddress, lookInto } from "./look.js";
import { form } from "./runs.js";
import { read, write } from "./state.js";
import { lineageTree } from "./tree.js";

const TABS = { overview: "Overview", charts: "Charts", artifacts: "Artifacts", code: "Code & environment", output: "Output", lineage: "Lineage" };
const TAIL = 200_000; // bytes of output that are read at first

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
    if (this.run.id !== this.id) history.replaceState(null, "", `/run/${this.run.id}${location.search}`);
    this.id = this.run.id;
    document.title = `${this.run.name} · runlore`;
    fill(this.host, this.head, this.tabs, this.body);
    this.draw();
  }

  draw() {
    this.title();
    this.open(TABS[read().tab] ? read().tab : "overview");
  }

  title() {
    const { run } = this;
    const seconds = run.duration_s ?? (run.status === "running" ? (Date.now() - Date.parse(run.started)) / 1000 : null);
    const pinned = "pinned" in run.tags;
    fill(this.head,
      h("div", { class: "line", style: "margin:0" }, h("h1", {}, run.name), h("span", { class: `status ${run.status}` }, run.status), h("span", { class: "grow" }),
        h("button", { type: "button", "aria-pressed": String(pinned), onclick: trying(async () => { await change("/api/pin", { runs: [run.id], off: pinned }); await this.again(); }) }, pinned ? "Pinned" : "Pin"),
        h("button", { type: "button", class: "danger", onclick: trying(async () => {
          const { removed } = await change("/api/remove", { runs: [run.id] });
          this.go("/");
          say(`${count(removed.length, "run")} removed`, { action: { name: "Undo", run: trying(async () => { await change("/api/undo"); this.go(`/run/${run.id}`); }) } });
        }) }, "Remove")),
      h("div", { class: "line quiet" }, h("span", { class: "mono" }, run.id), h("span", {}, run.experiment), h("span", { title: moment(run.started) }, `started ${ago(run.started)}`), h("span", {}, `took ${duration(seconds)}`),
        run.parent ? h("span", {}, "part of ", runLink(run.parent, run.parent_name ?? short(run.parent))) : null,
        run.links.map((item) => h("span", {}, `${item.kind.replaceAll("_", " ")} `, item.name ? runLink(item.run, item.name) : short(item.run), item.step === undefined || item.step === null ? "" : ` at step ${item.step}`))),
      h("div", { class: "line" }, this.tagChips()));
  }

  tagChips() {
    const { run } = this;
    const set = trying(async (tags) => { await change(`${runPath(run.id)}/tags`, { tags }); await this.again(); });
    return h("div", { class: "chips" }, Object.entries(run.tags).map(([key, value]) => h("span", { class: "chip" }, `${key}: ${value}`, h("button", { type: "button", "aria-label": `Take the tag ${key} off`, onclick: () => set({ [key]: null }) }, "×"))),
      popover("+ tag", (box, close) => {
        const key = h("input", { type: "text", placeholder: "key", "aria-label": "Key of the tag" });
        const value = h("input", { type: "text", placeholder: "value", "aria-label": "Value of the tag" });
        box.append(form([key, value], "Set", async () => { await set({ [key.value]: value.value }); close(); }));
      }, { class: "plain" }));
  }

  open(name) {
    this.curves?.close();
    this.curves = null;
    clearTimeout(this.timer);
    this.shown = name;
    fill(this.tabs, tabs("Parts of the run", TABS, name, (chosen) => { write({ tab: chosen === "overview" ? null : chosen, made: null }); this.open(chosen); this.tabs.querySelector('[aria-selected="true"]').focus(); }));
    this.body.className = "sheet";
    this[name]();
  }

  async again() {
    this.run = await ask(runPath(this.id));
    this.title();
    if (this.shown === "overview" || this.shown === "artifacts") this[this.shown]();
  }

  // Overview

  overview() {
    const { run } = this;
    fill(this.body, this.error(),
      h("div", { class: "columns2" },
        h("div", {}, this.metrics(), pairs("Summary", run.summary), this.children()),
        h("div", {}, this.params(), this.data(), this.notes(), this.segments(), this.missing(), h("h2", {}, "Do it again"), command(`runlore reproduce ${quoted(run.name, run.id)}`), h("p", { class: "quiet" }, "Add ", h("code", {}, "--dry-run"), " to see the plan first."))));
  }

  error() {
    const { error } = this.run;
    if (!error) return null;
    return h("section", { class: "error", style: "margin-bottom:18px" }, h("b", {}, error.type), error.message ? `: ${error.message}` : "", error.traceback ? h("pre", { class: "mono", tabindex: 0 }, error.traceback) : null);
  }

  metrics() {
    const keys = Object.keys(this.run.metrics).sort((one, other) => one.startsWith("system/") - other.startsWith("system/") || one.localeCompare(other));
    if (!keys.length) return h("section", {}, h("h2", {}, "Metrics"), h("p", { class: "quiet" }, this.run.status === "running" ? "None yet." : "None were logged."));
    return h("section", {}, h("h2", {}, "Metrics"), h("table", { class: "list" },
      h("thead", {}, h("tr", {}, h("th", {}, ""), ["last", "min", "max", "points"].map((name) => h("th", { class: "number" }, name)))),
      h("tbody", {}, keys.map((key) => {
        const series = this.run.metrics[key];
        return h("tr", {}, h("td", { class: "mono" }, key), [series.last, series.min, series.max].map((value) => h("td", { class: "number" }, number(value))), h("td", { class: "number quiet" }, series.count));
      }))));
  }

  params() {
    const entries = Object.entries(this.run.params);
    if (!entries.length) return h("section", {}, h("h2", {}, "Params"), h("p", { class: "quiet" }, "None."));
    const list = h("dl", { class: "facts" });
    const draw = (wanted) => fill(list, entries.filter(([key]) => key.toLowerCase().includes(wanted.toLowerCase())).flatMap(([key, value]) => [h("dt", { class: "mono" }, key), h("dd", { class: "mono" }, shortened(value))]));
    draw("");
    const find = entries.length > 15 ? h("input", { type: "search", placeholder: `find among ${entries.length}`, "aria-label": "Find a param", oninput: (event) => draw(event.target.value), style: "margin-bottom:6px" }) : null;
    return h("section", {}, h("h2", {}, "Params"), find, h("div", { style: "max-height:420px;overflow:auto", tabindex: entries.length > 15 ? 0 : null, role: "region", "aria-label": "Params" }, list));
  }

  data() {
    const entries = Object.entries(this.run.data);
    if (!entries.length) return null;
    return h("section", {}, h("h2", {}, "Data"), h("table", { class: "list" }, h("tbody", {}, entries.map(([name, facts]) => h("tr", {}, h("td", { class: "mono" }, name), h("td", {}, [facts.kind, (facts.shape ?? []).join(" × ") || (facts.rows === undefined ? "" : `${facts.rows} rows`), [facts.dtypes].flat().slice(0, 3).join(", ")].filter(Boolean).join(", ")),
      h("td", { class: "mono quiet", title: facts.fingerprint ?? "" }, facts.fingerprint ? link(`/find?sha256=${facts.fingerprint}`, String(facts.fingerprint).slice(0, 12)) : ""))))));
  }

  notes() {
    const words = h("textarea", { rows: 2, style: "width:100%", "aria-label": "A note", placeholder: "What is worth knowing of this run?" });
    return h("section", {}, h("h2", {}, "Notes"), this.run.notes.map((note) => h("p", { style: "white-space:pre-wrap;margin:4px 0" }, note)),
      form([words], "Add note", trying(async () => { await change(`${runPath(this.id)}/notes`, { text: words.value }); await this.again(); })));
  }

  segments() {
    const { segments } = this.run;
    if (segments.length < 2) return null;
    return h("section", {}, h("h2", {}, "Segments"), h("table", { class: "list" }, h("tbody", {}, segments.map((item) => h("tr", {}, h("td", {}, moment(item.started)), h("td", {}, h("span", { class: `status ${item.status}` }, item.status)), h("td", {}, item.from_step === null ? "" : `from step ${item.from_step}`), h("td", {}, item.error ?? ""))))));
  }

  missing() {
    const { missing } = this.run;
    return missing.length ? h("section", {}, h("h2", {}, "Missing"), missing.map((item) => h("p", { class: "quiet", style: "margin:3px 0" }, `${item.what}: ${item.why}`))) : null;
  }

  children() {
    const { children } = this.run;
    if (!children.length) return null;
    const varying = [...new Set(children.flatMap((child) => Object.keys(child.params)))].filter((key) => new Set(children.map((child) => JSON.stringify(child.params[key]))).size > 1).slice(0, 4);
    const keys = [...new Set(children.flatMap((child) => Object.keys(child.metrics)))].filter((key) => !/_time$|^system\//.test(key)).slice(0, 3);
    return h("section", {}, h("h2", {}, `Children (${this.run.children_count})`), h("table", { class: "list" },
      h("thead", {}, h("tr", {}, h("th", {}, "run"), h("th", {}, "status"), varying.map((key) => h("th", {}, key)), keys.map((key) => h("th", { class: "number" }, key)))),
      h("tbody", {}, children.map((child) => h("tr", {}, h("td", {}, runLink(child.id, child.name)), h("td", {}, h("span", { class: `status ${child.status}` }, child.status)), varying.map((key) => h("td", { class: "mono" }, shortened(child.params[key]))), keys.map((key) => h("td", { class: "number" }, number(child.metrics[key] ?? null))))))),
    children.length < this.run.children_count ? h("p", { class: "quiet" }, `The first ${children.length}; all: `, link(`/?all=1&q=${encodeURIComponent(`parent == "${this.id}"`)}`, "in the table")) : null);
  }

  // Charts

  charts() {
    this.curves = new Curves(read, write);
    this.curves.more.open = true;
    this.body.className = "";
    this.body.style.cssText = "display:flex;flex-direction:column;flex:1;min-height:0";
    fill(this.body, h("div", { class: "controls" }, this.curves.controls), this.curves.node);
    trying(() => this.curves.show([{ id: this.id, name: this.run.name }], { legend: false }))();
  }

  // Artifacts

  artifacts() {
    this.body.style.cssText = "";
    const items = this.run.artifacts.filter((item) => item.kind !== "code").sort((one, other) => (other.roles.length > 0) - (one.roles.length > 0));
    const { made } = read();
    const sought = made ? h("p", { role: "status" }, h("b", {}, "This run made the file that you dropped."), h("span", { class: "mono quiet" }, ` ${made}`)) : null;
    if (!items.length) return void fill(this.body, sought, h("p", { class: "quiet" }, "No files were recorded. ", h("code", {}, 'run.log_artifact("model.pt", kind="model")'), " records one."));
    const scored = items.some((item) => item.value !== null);
    fill(this.body, sought, h("table", { class: "list" },
      h("thead", {}, h("tr", {}, h("th", {}, "name"), h("th", {}, "kind"), h("th", { class: "number" }, "size"), h("th", { class: "number" }, "step"), scored ? h("th", { class: "number" }, "score") : null, h("th", {}, "roles"), h("th", {}, "sha256"), h("th", {}, "state"), h("th"))),
      h("tbody", {}, items.flatMap((item) => this.artifact(item, scored, made)))));
  }

  artifact(item, scored, made) {
    const inside = h("tr", { class: "hidden" }, h("td", { colspan: 9 }));
    const open = trying(async (event) => {
      const on = inside.classList.toggle("hidden") === false;
      event.target.setAttribute("aria-expanded", String(on));
      if (on) item.folder ? this.folder(inside.firstChild, item) : await lookInto(inside.firstChild, this.id, item.position);
    });
    const state = item.available ? "kept" : item.stored ? "kept" : item.present ? "where it was written" : "gone";
    const row = h("tr", { class: made && item.sha256 === made ? "picked" : "" }, h("td", { class: "mono", title: item.path ?? "" }, item.name), h("td", {}, item.kind), h("td", { class: "number" }, size(item.size)), h("td", { class: "number" }, item.step ?? ""),
      scored ? h("td", { class: "number", title: item.monitor ?? "" }, item.value === null ? "" : number(item.value)) : null, h("td", {}, item.roles.map((role) => h("span", { class: "chip role" }, role))),
      h("td", { class: "mono quiet", title: item.sha256 ?? "" }, (item.sha256 ?? "–").slice(0, 10)), h("td", { title: item.why ?? "" }, state),
      h("td", { class: "right", style: "white-space:nowrap" }, item.available ? [h("button", { type: "button", class: "plain", "aria-expanded": "false", "aria-label": `Look into ${item.name}`, onclick: open }, "Look"), item.folder ? null : h("a", { href: contentAddress(this.id, item.position), download: item.name.split("/").pop() }, "Download")] : null));
    return [row, inside];
  }

  folder(node, item) {
    const below = h("div");
    fill(node, h("table", { class: "list", style: "width:auto;min-width:50%" }, h("tbody", {}, item.members.map((member) => h("tr", {}, h("td", { class: "mono" }, member.path), h("td", { class: "number" }, size(member.size)),
      h("td", {}, h("button", { type: "button", class: "plain", "aria-label": `Look into ${member.path}`, onclick: () => lookInto(below, this.id, item.position, member.path) }, "Look"), " ", h("a", { href: contentAddress(this.id, item.position, member.path), download: member.path.split("/").pop() }, "Download")))))), below);
  }

  // Code and environment

  code() {
    this.body.style.cssText = "";
    const { run } = this;
    const { packages = {}, ...sections } = run.environment;
    const files = run.artifacts.filter((item) => item.kind === "code");
    const looks = files.filter((item) => item.available).map((item) => {
      const box = h("div");
      return [h("h2", {}, item.name), item.folder ? (this.folder(box, item), box) : (lookInto(box, this.id, item.position), box)];
    });
    fill(this.body, h("div", { class: "columns2" },
      h("div", {}, h("h2", {}, "Command"), command((run.command.argv ?? []).join(" ") || "–"), h("p", { class: "quiet mono" }, `${run.command.cwd ?? ""} on ${run.command.host ?? "?"}`), pairs("Code", sections.git ?? {}),
        run.environment.git ? null : h("p", { class: "quiet" }, "There was no git repository.")),
      h("div", {}, Object.entries(sections).filter(([name]) => name !== "git").map(([name, values]) => pairs(name, values)), this.packages(packages))),
    looks.length ? looks : h("p", { class: "quiet" }, "There were no uncommitted changes, or none are kept."));
  }

  packages(packages) {
    const entries = Object.entries(packages);
    if (!entries.length) return null;
    return h("details", {}, h("summary", {}, count(entries.length, "package")), h("dl", { class: "facts" }, entries.flatMap(([name, version]) => [h("dt", { class: "mono" }, name), h("dd", { class: "mono" }, version)])));
  }

  // Output

  async output() {
    this.body.style.cssText = "";
    const box = h("div", { class: "code output", tabindex: 0, role: "log", "aria-label": "Output", style: "max-height:none" });
    const note = h("p", { class: "quiet" });
    fill(this.body, note, box);
    let end = -TAIL;
    const decoder = { text: "" };
    const more = trying(async () => {
      const found = await ask(`${runPath(this.id)}/output`, { begin: end });
      if (this.shown !== "output") return;
      if (!found.kept) {
        fill(note, "What it printed was not kept: RUNLORE_OUTPUT=1 keeps it.");
        box.classList.add("hidden");
      } else if (found.text || end < 0) {
        box.classList.remove("hidden");
        const low = this.body.scrollHeight - this.body.scrollTop - this.body.clientHeight < 60;
        decoder.text += found.text;
        fill(box, decoder.text || " ");
        fill(note, found.begin > 0 && end < 0 ? `The last ${size(found.size - found.begin)} of ${size(found.size)}` : "");
        end = found.end;
        if (low) this.body.scrollTop = this.body.scrollHeight;
      }
      if (found.kept && found.end < found.size) await more();
    });
    this.outputs = more;
    await more();
  }

  // Lineage

  lineage() {
    this.body.style.cssText = "";
    const box = h("div");
    fill(this.body, box, h("h2", {}, "In the terminal"), command(`runlore lineage ${quoted(this.run.name, this.id)}`));
    lineageTree(box, this.id);
  }

  // What is new

  news(told) {
    if (told.gone.includes(this.id)) return void say("This run was removed.");
    if (told.runs.includes(this.id) || told.more) this.freshen();
  }

  freshen = debounce(150, trying(async () => {
    const { status } = this.run;
    if (this.shown === "charts") await this.curves.grown();
    if (this.shown === "output") await this.outputs?.();
    const active = document.activeElement;
    if (this.shown === "charts" || this.shown === "output" || this.body.contains(active) && /^(INPUT|TEXTAREA)$/.test(active.tagName)) {
      this.run = await ask(runPath(this.id));
      if (this.run.status !== status) this.title();
    } else await this.again();
  }));

  close() {
    this.curves?.close();
    this.shown = null;
  }
}

function pairs(title, values) {
  const entries = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== "");
  return entries.length ? h("section", {}, h("h2", { class: "group-name" }, title.replaceAll("_", " ")), h("dl", { class: "facts" }, entries.flatMap(([key, value]) => [h("dt", { class: "mono" }, key), h("dd", { class: "mono" }, shortened(value))]))) : null;
}

function shortened(value) {
  const words = text(value);
  return words.length <= 300 ? words : h("details", {}, h("summary", {}, `${words.slice(0, 120)}…`), words);
}

/** A run's name as a shell takes it; its id where the name has signs of its own. */
const quoted = (name, id) => (/^[\w.-]+$/.test(name) ? name : id);
