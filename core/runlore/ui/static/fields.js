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

const MOST_SORTED = 8; // fields; the server takes no more

/** The parts of an order, each a field with a minus before it where it descends. */
export const partsOf = (order) => (order.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []).map((part) => part.trim());

/** The field of a part of an order. */
export const bare = (part) => part.replace(/^-/, "");

/** How an order sorts by a field: {way, place}, its place among several, else null. */
export function orderBy(order, field) {
  const parts = partsOf(order);
  const at = parts.findIndex((part) => bare(part) === field);
  if (at < 0) return { way: null, place: null };
  return { way: parts[at].startsWith("-") ? "descending" : "ascending", place: parts.length > 1 ? at + 1 : null };
}

/** The order after a click on a field: descending, then ascending, then none; alone, or `also` behind the others. */
export function turned(order, field, also) {
  const { way } = orderBy(order, field);
  const next = { descending: field, ascending: null }[way];
  const own = next === undefined ? `-${field}` : next;
  if (!also) return own ?? "";
  const parts = partsOf(order);
  const at = parts.findIndex((part) => bare(part) === field);
  if (at < 0) parts.push(own);
  else parts.splice(at, 1, ...(own ? [own] : []));
  return parts.slice(0, MOST_SORTED).join(", ");
}
