// Elements, the little Markdown of the descriptions, and JSON that cannot deceive its reader.

/** An element; `on…` attributes are listeners, false and null leave an attribute out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// Format characters turn, hide or join what stands around them.
const DECEPTIVE = /[\p{Cf}\p{Zl}\p{Zp}\u0080-\u009f]/gu;
const escaped = (character) =>
  [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
    .join("");

/** A text with each deceptive character as an escape, which in JSON means the same. */
export const inert = (text) => text.replace(DECEPTIVE, escaped);

const JSON_PARTS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g;

/** Indented JSON in colours; each text is isolated, so that none turns the letters of another. */
export function jsonParts(value) {
  const text = inert(JSON.stringify(value, null, 2));
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(JSON_PARTS)) {
    parts.push(text.slice(end, match.index));
    const [whole, string, colon] = match;
    if (string) parts.push(el("bdi", { class: colon ? "name" : "text" }, string), colon ?? "");
    else parts.push(el("span", { class: "literal" }, whole));
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/** A block of code that can be scrolled by keyboard. */
export function codeBlock(label, ...parts) {
  return el("pre", { tabindex: 0, role: "group", "aria-label": label }, el("code", {}, parts));
}

/** `code` and **bold** in a line. */
export function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 3) return el("strong", {}, part.slice(2, -2));
    return part;
  });
}

function tableOf(lines) {
  const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const [head, , ...rows] = lines;
  return table(cells(head), rows.map((row) => cells(row).map(inline)));
}

/** A table that scrolls sideways where the screen is too narrow for it. */
export function table(head, rows, label = head.join(", ")) {
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": `Table: ${label}` },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))),
    ),
  );
}

/** Paragraphs, lists, tables, `code` and **bold**: all that the descriptions use. */
export function markdown(text) {
  return (text ?? "")
    .split(/\n{2,}/)
    .filter((block) => block.trim())
    .map((block) => {
      const lines = block.trim().split("\n");
      if (lines[0].startsWith("|")) return tableOf(lines);
      if (lines.every((line) => /^(- |\s)/.test(line))) {
        const items = block.trim().slice(2).split("\n- ");
        return el("ul", {}, items.map((item) => el("li", {}, inline(item))));
      }
      return el("p", {}, inline(lines.join(" ")));
    });
}
