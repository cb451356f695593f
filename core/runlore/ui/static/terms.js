// The parts of a query: those that all have to hold, and what asks for a value of a field.

const TOKEN = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[([{]|[)\]}]|[\w.]+|./gsu;

/** The parts of a query that all have to hold; one with an `or` between them is a single part. */
export function termsOf(query) {
  const found = [""];
  let depth = 0;
  for (const [token] of query.matchAll(TOKEN)) {
    if (/^[([{]$/.test(token)) depth++;
    if (/^[)\]}]$/.test(token)) depth--;
    if (token === "or" && !depth) return [`(${query.trim()})`];
    if (token === "and" && !depth) found.push("");
    else found[found.length - 1] += token;
  }
  return found.map((term) => term.trim()).filter(Boolean);
}

/** A query that also asks for other parts. */
export const withTerms = (query, terms) => [...new Set([...termsOf(query), ...terms])].join(" and ");

/** The condition that a field has a value. */
export function has(field, value) {
  if (value === null || value === undefined) return `${field} is None`;
  return `${field} == ${typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value)}`;
}
