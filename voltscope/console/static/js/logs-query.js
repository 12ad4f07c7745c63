// Filters as parts of a query: what a click on a value adds, and takes away again.

const LEVEL = "level";

/** The filter for one value of a field: all of it, letter for letter, or the words of what quotes cannot hold. */
export function clause(field, value) {
  if (field === LEVEL) return `level:${value}`;
  return value.includes('"') ? `${field}:"${value.replaceAll('"', " ")}"` : `${field}="${value}"`;
}

/** What no quotation mark hides: words in quotes are no operators. */
const bare = (query) => query.replace(/"[^"]*"?/g, (quoted) => "x".repeat(quoted.length));

/** Where `part` stands in the query as a filter of its own; -1 when it does not, or under a `not`. */
function place(query, part) {
  for (let at = query.indexOf(part); at >= 0; at = query.indexOf(part, at + 1)) {
    const before = query.slice(0, at);
    const after = query.slice(at + part.length);
    const free = /(^|[\s(])$/.test(before) && /^($|[\s)])/.test(after);
    if (free && !/\bnot\s+$/i.test(before)) return at;
  }
  return -1;
}

export const has = (query, part) => place(query, part) >= 0;

/** Whether an `or` binds the whole query, which then needs parentheses before an `and`. */
function branches(query) {
  let text = bare(query);
  for (let before = ""; before !== text; ) {
    before = text;
    text = text.replace(/\([^()]*\)/g, " ");
  }
  return /\bor\b/i.test(text);
}

export function added(query, part) {
  const text = query.trim();
  if (!text) return part;
  return branches(text) ? `(${text}) and ${part}` : `${text} and ${part}`;
}

export function removed(query, part) {
  const at = place(query, part);
  if (at < 0) return query;
  const before = query.slice(0, at);
  const after = query.slice(at + part.length);
  const shortened = /\band\s+$/i.test(before)
    ? before.replace(/\s*\band\s+$/i, "") + after
    : before + after.replace(/^\s*(and\b)?\s*/i, before ? " " : "");
  const text = shortened.trim();
  // what was put into parentheses for the filter's sake needs them no more
  return /^\([^()]*\)$/.test(bare(text)) ? text.slice(1, -1) : text;
}
