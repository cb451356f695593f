// Plotly, loaded when the first chart is shown; and how all charts look, in both themes.

const COLOURS = [
  "#2f7fd6",
  "#e08a00",
  "#1f9e6e",
  "#d64545",
  "#8b5fd6",
  "#16a3ae",
  "#d2559c",
  "#7d9b1c",
  "#a0643c",
  "#7686a0",
];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const drawn = new Map(); // plot → what was drawn last, to paint it again in another theme
let library = null;

/** The colour of a place in a selection, the same for dots and curves. */
export const colourAt = (place) => COLOURS[place % COLOURS.length];
export const dashAt = (place) => DASHES[Math.floor(place / COLOURS.length) % DASHES.length];

export function plotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/plotly.min.js";
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error("the charts' library could not be loaded"));
    // Once what is there is painted: reading five megabytes of code takes a moment in which nothing else is.
    requestAnimationFrame(() => setTimeout(() => document.head.append(script)));
  });
  return library;
}

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function themed(layout) {
  const axis = {
    gridcolor: style("--line"),
    zerolinecolor: style("--line"),
    linecolor: style("--line"),
    tickfont: { size: 11 },
    automargin: true,
  };
  const axes = Object.fromEntries(
    Object.keys(layout)
      .filter((name) => /^[xy]axis/.test(name))
      .map((name) => [name, { ...axis, ...layout[name] }]),
  );
  return {
    margin: { l: 46, r: 10, t: 6, b: 30 },
    showlegend: false,
    dragmode: "zoom",
    hovermode: "x unified",
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

/** Draw or draw again. A plot keeps the zoom that its layout does not name. */
export async function draw(node, traces, layout, config = {}) {
  const Plotly = await plotly();
  if (!node.isConnected) return null;
  drawn.set(node, [traces, layout, config]);
  await Plotly.react(node, traces, themed(layout), {
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

/** All charts once more, in the theme that is chosen now. */
export function repaint() {
  for (const [node, [traces, layout, config]] of drawn) {
    if (!node.isConnected) drawn.delete(node);
    else draw(node, traces, layout, config);
  }
}

export const accent = () => style("--accent");
export const quiet = () => style("--quiet");

/** From the page's ground to its accent. */
export const scale = () => [
  [0, style("--sunk")],
  [1, style("--accent")],
];

/** Plotly reads some markup in texts: foreign ones have none. */
export function escaped(words) {
  return String(words).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
