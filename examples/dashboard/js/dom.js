/**
 * Elements without a template language: text is always text, so no data can become markup, and no
 * character in it is invisible or turns the text around it.
 */

const SVG = "http://www.w3.org/2000/svg";
// Attributes that are read like text. Others, `value` above all, keep what they were given.
const READ_ALOUD = new Set(["alt", "aria-label", "title"]);

/** `h("button", {class: "primary", onclick: save}, "Save")`; null and false children are left out. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : READ_ALOUD.has(name) ? inert(value) : value);
  }
  element.append(...present(children));
  return element;
}

/** Replace what an element holds. */
export function show(element, ...children) {
  element.replaceChildren(...present(children));
}

function present(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (typeof child === "string" ? inert(child) : child));
}

const UNSEEN = /[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/gu;
const JOINED = /[\p{L}\p{M}\p{Extended_Pictographic}\ufe0f]/u;

/** The same text with a visible sign where a character is invisible or sets the direction. */
export function inert(text) {
  return String(text).replace(UNSEEN, (sign, at, whole) => (isOfUse(sign, at, whole) ? sign : "\ufffd"));
}

/** Line breaks; what an emoji or a script other than Latin is spelt with. */
function isOfUse(sign, at, whole) {
  if (sign === "\n" || sign === "\t") return true;
  const before = Array.from(whole.slice(Math.max(0, at - 2), at)).at(-1) ?? "";
  const after = Array.from(whole.slice(at + 1, at + 3))[0] ?? "";
  if (sign === "\ufe0e" || sign === "\ufe0f") return /[\p{Emoji}\p{S}]/u.test(before);
  const isJoiner = sign === "\u200c" || sign === "\u200d";
  const joins = (one) => one > "\u024f" && JOINED.test(one);
  return isJoiner && joins(before) && joins(after);
}

/** What somebody named: isolated, so that its direction does not reorder what stands around it. */
export function named(text) {
  return h("bdi", {}, text);
}

/** The same in quotation marks. */
export function quoted(text) {
  return ["“", named(text), "”"];
}

const ICONS = {
  usage: "M4 20V11M10 20V4M16 20v-6M21 20H3",
  keys: "M8 12a3.5 3.5 0 1 0 0 .01M11.5 12H21v3.5M17 12v2.5",
  agents:
    "M12 3v3M6.5 6h11A1.5 1.5 0 0 1 19 7.500V16a1.500 1.500 0 0 1-1.500 1.500h-11A1.500 1.500 0 0 1 5 16V7.500A1.500 1.500 0 0 1 6.500 6ZM9.500 11v1.500M14.500 11v1.500M9 21h6",
  security:
    "M12 3l7.500 2.800v5.400c0 4.500-3 7.900-7.500 9.800-4.500-1.900-7.500-5.300-7.500-9.800V5.800ZM9 12l2.200 2.200L15.200 10",
  account:
    "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.500 20.500c1-3.600 3.900-5.500 7.500-5.500s6.500 1.900 7.500 5.500",
  logout:
    "M14 4H6.500A1.500 1.500 0 0 0 5 5.500v13A1.500 1.500 0 0 0 6.500 20H14M10.500 12H21M17.500 8.500 21 12l-3.500 3.500",
  copy: "M9 9V5.500A1.500 1.500 0 0 1 10.500 4h8A1.500 1.500 0 0 1 20 5.500v8a1.500 1.500 0 0 1-1.500 1.500H15M5.500 9h8A1.500 1.500 0 0 1 15 10.500v8a1.500 1.500 0 0 1-1.500 1.500h-8A1.500 1.500 0 0 1 4 18.500v-8A1.500 1.500 0 0 1 5.500 9Z",
  check: "M5 12.500l4.500 4.500L19 7.500",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  warning: "M12 4 2.800 20h18.400ZM12 10v4.500M12 17.200v.1",
  previous: "M14.500 6 8.500 12l6 6",
  next: "M9.500 6l6 6-6 6",
  download: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14",
  again: "M19.500 12a7.500 7.500 0 1 1-2.200-5.300M19.500 4v4.500H15",
};

export function icon(name) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }),
  );
}
