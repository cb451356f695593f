// Places along the x axis of curves: the server's numbers, what Plotly draws, and what people read.

import { escaped } from "./plot.js";

/** The titles of the axes by name. */
export const AXES = { step: "step", epoch: "epoch", time: "time", relative: "seconds since the start" };

const two = (value, digits = 2) => String(value).padStart(digits, "0");

/** A time in seconds since 1970 as the text of a clock here: Plotly knows no time zones, and draws such a text as it is. */
export function stamp(seconds) {
  const micros = Math.round(seconds * 1e6);
  const time = new Date(Math.floor(micros / 1e6) * 1000);
  const day = [two(time.getFullYear(), 4), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(micros % 1e6, 6)}`;
}

/** The seconds since 1970 that a text of Plotly's stands for: its inverse, also without seconds or a time. */
export function seconds(text) {
  const [day, clock = "00:00"] = String(text).trim().split(/[ T]/);
  const [year, month = 1, date = 1] = day.split("-").map(Number);
  const [hours = 0, minutes = 0, rest = 0] = clock.split(":").map(Number);
  return new Date(year, month - 1, date, hours, minutes, 0).getTime() / 1000 + rest;
}

const METRIC = "metric:"; // before the key of a metric that lies along x

/** One axis: `name` of AXES or metric: with a key, and whether it is logarithmic. */
export class Along {
  constructor(name, log) {
    this.name = Object.hasOwn(AXES, name ?? "") || name?.startsWith(METRIC) ? name : "step";
    this.title = AXES[this.name] ?? this.name.slice(METRIC.length);
    this.log = log && this.name !== "time";
  }

  get isMetric() {
    return !Object.hasOwn(AXES, this.name);
  }

  get isTime() {
    return this.name === "time";
  }

  /** Places for Plotly's data. */
  drawn(values) {
    return this.isTime ? values.map(stamp) : values;
  }

  /** An end of an axis for Plotly's layout, of a place. */
  end(value) {
    return this.isTime ? stamp(value) : this.log ? Math.log10(value) : value;
  }

  /** The place of an end of an axis in Plotly's layout. */
  place(end) {
    return this.isTime ? seconds(end) : this.log ? 10 ** end : Number(end);
  }

  /** The axis of Plotly's layout from one place to another, or of all that is drawn. */
  layout(range) {
    return {
      type: this.isTime ? "date" : this.log ? "log" : "linear",
      title: { text: escaped(this.title), font: { size: 10 }, standoff: 4 },
      ...(this.isMetric || this.log ? {} : { exponentformat: "none", separatethousands: true }), // 20,000, not 2e+4
      ...(range ? { range: range.map((value) => this.end(value)), autorange: false } : { autorange: true }),
    };
  }

  /** A place as people read it. */
  text(value) {
    if (this.isTime) return stamp(value).slice(0, 19);
    if (this.name === "relative") return `${Number(value.toPrecision(6))} s`;
    return Number(value.toPrecision(8)).toLocaleString("en", { maximumFractionDigits: 4 });
  }
}
