/** Metadata as text: read with a word on what is wrong with it, and shown as it is stored. */

const STRING = /"(?:[^"\\]|\\.)*"/g;
const WHOLE_NUMBER = /(?<![\w.+-])-?\d+(?![\w.])/g;
// Of JSON: a sign, a text, a number or a word.
const PART = new RegExp(
  [
    String.raw`[ \t\r\n]*([{}[\]:,]`,
    String.raw`"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"`,
    String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])`,
    "true|false|null)",
  ].join("|"),
  "uy",
);
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
  } catch {
    return { fault: `This is not JSON: ${whereIn(text)}` };
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
function whereIn(text) {
  const at = firstFault(text);
  const near = text.slice(at).split("\n")[0].trim().slice(0, NEAR);
  if (near === "") return "it ends too early. Is a brace or a quote missing?";
  return `look at line ${text.slice(0, at).split("\n").length}, at ${near} … ${HINT}`;
}

/** Where the first part of a text begins that does not belong there. */
function firstFault(text) {
  let at = 0;
  const read = () => {
    PART.lastIndex = at;
    return PART.exec(text)?.[1] ?? "";
  };
  const take = (belongs) => {
    const part = read();
    if (!part || !belongs(part)) throw new Misplaced();
    at = PART.lastIndex;
    return part;
  };
  const entries = (end, entry) => {
    if (read() === end) take(() => true);
    else
      do entry();
      while (take((part) => part === "," || part === end) === ",");
  };
  const value = () => {
    const part = take((one) => !"}]:,".includes(one));
    if (part === "[") entries("]", value);
    if (part !== "{") return;
    entries("}", () => {
      take((one) => one.startsWith('"'));
      take((one) => one === ":");
      value();
    });
  };
  try {
    value();
  } catch (error) {
    if (!(error instanceof Misplaced)) throw error;
  }
  return at + /^[ \t\r\n]*/.exec(text.slice(at))[0].length;
}

class Misplaced extends Error {}
