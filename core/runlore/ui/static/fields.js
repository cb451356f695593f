// Fields of queries: params.lr, metrics["val/loss"].min; how they are titled, and which can be drawn.

export const AGGREGATES = ["last", "min", "max"];
const METRIC = /^metrics(\.|\[)/;

/** True for a field of a metric. */
export const isMetric = (field) => METRIC.test(field);

/** A metric's field with another aggregate. */
export function withAggregate(field, name) {
  const bare = field.replace(/\.(last|min|max|count)$/, "");
  return name === "last" ? bare : `${bare}.${name}`;
}

/** The key of a field, with its aggregate. */
export function label(field) {
  const quoted = /^\w+\["(.*)"\](.*)$/.exec(field);
  return quoted ? quoted[1] + quoted[2] : field.replace(/^(metrics|params|summary|tags)\./, "");
}

/** The labels of fields that stand beside each other: a param and a metric of one name are told apart. */
export function labels(fields) {
  const found = fields.map(label);
  return found.map((name, at) =>
    found.indexOf(name) === found.lastIndexOf(name) ? name : `${name} (${fields[at].split(/[.[]/)[0].replace(/s$/, "")})`,
  );
}

/** The fields that can be drawn: those that the table shows, params, metrics with their aggregates, numbers of runs. */
export function fieldsOf(keys, shown) {
  const items = (table) => (keys[table] ?? []).map((item) => item.field);
  const found = [
    ...items("params"),
    ...items("metrics")
      .filter((field) => !/system\//.test(field))
      .flatMap((field) => AGGREGATES.map((name) => withAggregate(field, name))),
    ...items("summary"),
    "duration",
  ];
  return [...new Set([...shown.filter((field) => found.includes(field)), ...found])];
}
