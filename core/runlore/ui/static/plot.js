// Plotly, loaded for the first chart, and the style of all charts in both themes.

import { outer } from "./base.js";

const drawn = new Map(); // plot → its last data and layout, to draw them again in another theme
let library = null;

export function plotly() {
  if (globalThis.Plotly) library ??= Promise.resolve(globalThis.Plotly); // it is a part of the page
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = outer("/plotly.min.js");
    script.onload = () => {
      globalThis.Plotly.setPlotConfig({ logging: 0 }); // of redraws, say: nobody reads it
      resolve(globalThis.Plotly);
    };
    script.onerror = () => reject(new Error("the charts' library could not be loaded"));
    // After the next paint: parsing five megabytes of code blocks the page for a moment.
    requestAnimationFrame(() => setTimeout(() => document.head.append(script)));
  });
  return library;
}

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** How an axis writes numbers of these traces: all digits, unless they are very large or very small. */
function written(traces, way) {
  let most = 0;
  for (const trace of traces) {
    for (const value of Array.isArray(trace[way]) ? trace[way] : []) {
      if (typeof value === "number" && Math.abs(value) > most) most = Math.abs(value);
    }
  }
  return most >= 1e-3 && most < 1e6 ? "none" : "e"; // 1e-4 and 4e+13: people don't read learning rates in µ
}

function themed(layout, traces) {
  const axis = {
    gridcolor: style("--line"),
    zerolinecolor: style("--line"),
    linecolor: style("--line"),
    tickfont: { size: 11 },
    automargin: true,
  };
  const exponents = (name) => (layout[name].type === "log" ? "e" : written(traces, name[0]));
  const axes = Object.fromEntries(
    Object.keys(layout)
      .filter((name) => /^[xy]axis/.test(name))
      .map((name) => [name, { ...axis, exponentformat: exponents(name), ...layout[name] }]),
  );
  return {
    margin: { l: 46, r: 10, t: 6, b: 30 },
    showlegend: false,
    dragmode: "zoom",
    hovermode: false, // hover.js shows what the curves have
    font: { family: "system-ui, sans-serif", size: 11, color: style("--quiet") },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    hoverlabel: {
      bgcolor: style("--back"),
      bordercolor: style("--line"),
      font: { color: style("--text"), size: 11 },
      namelength: 28,
    },
    ...layout,
    ...axes,
  };
}

/** Draw a plot, or update it. The zoom stays unless the layout sets a range. */
export async function draw(node, traces, layout, config = {}) {
  const Plotly = await plotly();
  if (!node.isConnected) return null;
  drawn.set(node, [traces, layout, config]);
  await Plotly.react(node, traces, themed(layout, traces), {
    displayModeBar: false,
    responsive: true,
    doubleClick: "reset",
    showTips: false,
    ...config,
  });
  return node;
}

export async function clear(node) {
  drawn.delete(node);
  if (globalThis.Plotly && node.classList.contains("js-plotly-plot")) globalThis.Plotly.purge(node);
  node.listens = false;
  node.replaceChildren();
}

/** Draw all charts again in the current theme. */
export function repaint() {
  for (const [node, [traces, layout, config]] of drawn) {
    if (!node.isConnected) drawn.delete(node);
    else draw(node, traces, layout, config);
  }
}

export const back = () => style("--back");
export const accent = () => style("--accent");
export const quiet = () => style("--quiet");

/** A colour scale from the page's background to its accent. */
export const scale = () => [
  [0, style("--sunk")],
  [1, style("--accent")],
];

/** Text for Plotly, which reads some markup: it is taken out of recorded texts. */
export function escaped(words) {
  return String(words).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
