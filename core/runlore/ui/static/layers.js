// The layout of a graph without cycles in layers from left to right (Sugiyama, Tagawa & Toda 1981): each node in the
// column behind all that lead to it, with few crossings, and long edges led around the nodes between.

const SWEEPS = 4; // over all columns, there and back
const NODE = 1; // rows that a node takes
const BEND = 0.45; // rows that an edge takes that passes a column

/** Places for nodes by id: {items: [{id, column, row}], ways: [{edge, way: its items, bends among them}], columns, rows}.
 *
 * `edges` have {from, to}, both among the ids.
 */
export function layered(ids, edges) {
  const column = columnsOf(ids, edges);
  const columns = Array.from({ length: Math.max(...column.values()) + 1 }, () => []);
  const item = (id, at) => {
    const made = { id, column: at, size: id === null ? BEND : NODE, row: 0, before: [], after: [] };
    columns[at].push(made);
    return made;
  };
  const nodes = new Map(ids.map((id) => [id, item(id, column.get(id))]));
  const ways = edges.map((edge) => {
    const bends = [];
    for (let at = column.get(edge.from) + 1; at < column.get(edge.to); at++) bends.push(item(null, at));
    const way = [nodes.get(edge.from), ...bends, nodes.get(edge.to)];
    way.slice(1).forEach((next, at) => {
      way[at].after.push(next);
      next.before.push(way[at]);
    });
    return { edge, way };
  });
  for (const members of columns) stack(members);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const members of columns.slice(1)) settle(members, "before", sweep);
    for (const members of columns.slice(0, -1).reverse()) settle(members, "after", sweep);
  }
  const items = [...nodes.values()];
  const least = Math.min(...columns.flat().map((one) => one.row));
  for (const one of columns.flat()) one.row -= least;
  return { items, ways, columns: columns.length, rows: Math.max(...columns.flat().map((one) => one.row)) + 1 };
}

/** The column of each node: one more than the last of those before it; a source stands right before what it leads to. */
function columnsOf(ids, edges) {
  const after = new Map(ids.map((id) => [id, []]));
  const waits = new Map(ids.map((id) => [id, 0]));
  for (const { from, to } of edges) {
    after.get(from).push(to);
    waits.set(to, waits.get(to) + 1);
  }
  const sources = ids.filter((id) => !waits.get(id));
  const column = new Map(ids.map((id) => [id, 0]));
  for (const ready = [...sources]; ready.length;) {
    const id = ready.shift();
    for (const next of after.get(id)) {
      column.set(next, Math.max(column.get(next), column.get(id) + 1));
      waits.set(next, waits.get(next) - 1);
      if (!waits.get(next)) ready.push(next);
    }
  }
  for (const id of sources)
    if (after.get(id).length) column.set(id, Math.min(...after.get(id).map((next) => column.get(next))) - 1);
  return column;
}

/** Put the items of a column one below the other, centred. */
function stack(members) {
  const total = members.reduce((sum, one) => sum + one.size, 0);
  let row = -total / 2;
  for (const one of members) {
    one.row = row + (one.size - NODE) / 2;
    row += one.size;
  }
}

/** Sort a column by where its neighbours on one side lie, and move each item as near to them as the others let it. */
function settle(members, side, sweep) {
  const mean = (rows) => rows.reduce((sum, row) => sum + row, 0) / rows.length;
  const wanted = new Map(
    members.map((one) => [one, one[side].length ? mean(one[side].map((other) => other.row)) : one.row]),
  );
  if (sweep < SWEEPS - 1) members.sort((one, other) => wanted.get(one) - wanted.get(other));
  let edge = -Infinity;
  for (const one of members) {
    one.row = Math.max(wanted.get(one), edge + (one.size - NODE) / 2);
    edge = one.row + (one.size + NODE) / 2;
  }
  const shift = mean(members.map((one) => wanted.get(one) - one.row));
  for (const one of members) one.row += shift;
}
