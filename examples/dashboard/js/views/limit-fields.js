/** The limits of a key in its form: a row each, to be added, changed and removed. */

import { h, icon, show } from "../dom.js";
import { field, group } from "../form.js";
import { meterName, spanOf } from "../limits.js";
import { button } from "../parts.js";

const MOST = 10;
const WINDOWS = ["minute", "hour", "day", "month", "total"];
const OTHER = "other";
// No meter can be called so.
const OTHER_METER = "?";
const APPLIES = [
  ["", "Every request"],
  ["always", "Every request, under a name"],
  ["named", "Requests that name it"],
];
const GROUPED = /^\d{1,3}([\s,._'’]\d{3})+$/;

let rows = 0;

/** `limits` as the API has them, or null; `meters` are those that are known of. */
export function limitsField(limits, meters) {
  const list = h("div", { class: "limits" });
  const shown = [];
  const add = button(
    "Add a limit",
    { class: "plain small", onclick: () => addRow(null).focus() },
    icon("plus"),
  );

  function addRow(limit) {
    const row = limitRow(limit, [...new Set([...meters, ...(limit ? [limit.meter] : [])])], () => {
      const at = shown.indexOf(row);
      shown.splice(at, 1);
      row.element.remove();
      count();
      (shown[at] ?? shown.at(-1) ?? add).focus();
    });
    shown.push(row);
    list.append(row.element);
    count();
    // The form shows and hides fields when something was chosen.
    list.dispatchEvent(new Event("change", { bubbles: true }));
    return row;
  }

  function count() {
    shown.forEach((row, index) => row.number(index));
    list.hidden = shown.length === 0;
    add.disabled = shown.length >= MOST;
  }

  for (const limit of limits ?? []) addRow(limit);
  count();
  return group(
    {
      name: "limits",
      label: ["Limits ", h("span", { class: "optional" }, "optional")],
      hint: "What this key alone may use. Your plan's limits hold beside them, for all keys together.",
      value() {
        shown.forEach((row, index) => row.number(index));
        return shown.length ? shown.map((row) => row.value()) : null;
      },
    },
    list,
    add,
  );
}

function limitRow(limit, meters, remove) {
  const id = `limit${++rows}`;
  const isOther = limit !== null && !WINDOWS.includes(limit.window);
  const fields = {
    size: field({
      name: `${id}.size`,
      label: "At most",
      inputmode: "numeric",
      autocomplete: "off",
      value: limit?.size,
      missing: "How much?",
      check: (text) => (sizeOf(text) === null ? "Write a whole number, such as 500000" : null),
    }),
    meter: field({
      name: `${id}.meter`,
      label: "Of",
      options: [...meters.map((meter) => [meter, meterName(meter)]), [OTHER_METER, "Another…"]],
      value: limit?.meter ?? meters[0],
    }),
    otherMeter: field({
      name: `${id}.meter-name`,
      label: "The meter's name",
      autocomplete: "off",
      missing: "Which one?",
      when: (values) => values[`${id}.meter`] === OTHER_METER,
    }),
    window: field({
      name: `${id}.window`,
      label: "In",
      options: [...WINDOWS.map((window) => [window, spanOf(window)]), [OTHER, "another time…"]],
      value: isOther ? OTHER : (limit?.window ?? "minute"),
    }),
    otherWindow: field({
      name: `${id}.window-length`,
      label: "In a time of",
      autocomplete: "off",
      placeholder: "10s",
      value: isOther ? limit.window : null,
      hint: "10s, 250ms, 7200s",
      missing: "How long? Such as 10s",
      when: (values) => values[`${id}.window`] === OTHER,
    }),
    applies: field({
      name: `${id}.applies`,
      label: "Counts",
      options: APPLIES,
      value: limit?.name ? (limit.applies ?? "always") : "",
    }),
    name: field({
      name: `${id}.name`,
      label: "Its name",
      value: limit?.name,
      maxlength: "50",
      autocomplete: "off",
      missing: "Give it a name",
      when: (values) => values[`${id}.applies`] !== "",
    }),
  };
  // The longest words.
  fields.applies.classList.add("wide");
  const title = h("span", {});
  const press = h(
    "button",
    { type: "button", class: "quiet square", onclick: remove },
    icon("close"),
  );
  const element = group(
    { name: id, label: title },
    h("div", { class: "limit-fields" }, Object.values(fields)),
    press,
  );
  const inputOf = (name) => fields[name].querySelector("input, select");
  const text = (name) => inputOf(name).value.trim();
  return {
    element,
    focus: () => inputOf("size").focus(),
    /** Faults find their field by where the limit stands. */
    number(index) {
      show(title, `Limit ${index + 1}`);
      press.setAttribute("aria-label", `Remove limit ${index + 1}`);
      element.dataset.name = `limits.${index}`;
      const isNamed = text("meter") === OTHER_METER;
      const isLength = text("window") === OTHER;
      const abouts = {
        size: "size",
        [isNamed ? "otherMeter" : "meter"]: "meter",
        [isLength ? "otherWindow" : "window"]: "window",
        applies: "applies",
        name: "name",
      };
      for (const [name, box] of Object.entries(fields)) {
        box.dataset.name = name in abouts ? `limits.${index}.${abouts[name]}` : "";
      }
    },
    value() {
      const applies = text("applies");
      return {
        meter: text(text("meter") === OTHER_METER ? "otherMeter" : "meter"),
        window: text(text("window") === OTHER ? "otherWindow" : "window"),
        size: sizeOf(text("size")),
        ...(applies ? { name: text("name") } : {}),
        ...(applies === "named" ? { applies } : {}),
      };
    },
  };
}

/** The number that was written, in groups of three or not; null for none. */
export function sizeOf(text) {
  const digits = GROUPED.test(text.trim()) ? text.replace(/\D/g, "") : text.trim();
  return /^\d+$/.test(digits) ? Number(digits) : null;
}

/** As the form holds them: to tell whether they were changed. */
export function comparable(limits) {
  const kept = ({ meter, window, size, name, applies }) => [
    meter,
    window,
    size,
    name ?? null,
    applies === "named",
  ];
  return JSON.stringify((limits ?? []).map(kept));
}
