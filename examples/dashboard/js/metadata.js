/** Metadata as text: read with a word on what is wrong with it, and shown as it is stored. */

const STRING = /"(?:[^"\\]|\\.)*"/g;
const WHOLE_NUMBER = /(?<![\w.+-])-?\d+(?![\w.])/g;
const NEAR = 18;
const HINT = "Names and texts stand in double quotes, with a comma between two entries.";

/** The text of what is stored; empty for none. */
export function metadataText(value) {
  return value === null || value === undefined ? "" : JSON.stringify(value, null, 2);
}

/** `{value}`, null for an empty text, or `{fault}` in words. */
export function readMetadata(text) {
  if (text.trim() === "") return { value: null };
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: `This is not JSON: ${whereIn(text, error.message)}` };
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return { fault: 'Write an object, in curly braces, such as {"customer": "c-17"}' };
  }
  const numbers = text.replace(STRING, '""').match(WHOLE_NUMBER) ?? [];
  const large = numbers.find((digits) => !Number.isSafeInteger(Number(digits)));
  if (large) return { fault: `A browser would change ${large}: put it in quotes, "${large}"` };
  return { value };
}

/** Browsers tell the place in ways of their own, or not at all. */
function whereIn(text, message) {
  const at = placeOf(text, message);
  if (at === null) return HINT;
  const line = text.slice(0, at).split("\n").length;
  const near = text.slice(at).split("\n")[0].trim().slice(0, NEAR);
  if (text.slice(at).trim() === "") return "it ends too early. Is a brace or a quote missing?";
  return `look at line ${line}${near ? `, at ${near}` : ""}. ${HINT}`;
}

function placeOf(text, message) {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position) return Number(position);
  const [, line, column] = /line (\d+) column (\d+)/.exec(message) ?? [];
  if (line) {
    const before = text.split("\n").slice(0, line - 1);
    return before.reduce((sum, one) => sum + one.length + 1, 0) + Number(column) - 1;
  }
  return /end of|EOF|unterminated/i.test(message) ? text.length : null;
}
