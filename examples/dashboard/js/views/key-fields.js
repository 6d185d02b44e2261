/** The fields of a key in its forms, and what they hold in the API's words. */

import { choices, field } from "../form.js";
import { metadataText, readMetadata } from "../metadata.js";
import { comparable } from "./limit-fields.js";

const LIVES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["date", "On a date…"],
];

export const nameField = (value) =>
  field({
    name: "name",
    label: "Name",
    value,
    hint: "So that you know it again: where is it used?",
    maxlength: "100",
    autofocus: true,
    autocomplete: "off",
    missing: "Give the key a name",
  });

export const originsField = (value, when) =>
  field({
    name: "allowed_origins",
    label: "Origins",
    type: "textarea",
    value,
    hint: "Where the page stands that uses it, such as https://www.example.com. One a line.",
    missing: "Give at least one origin, such as https://www.example.com",
    when,
  });

export const addressesField = (value) =>
  field({
    name: "allowed_ips",
    label: "Allowed addresses",
    type: "textarea",
    rows: "2",
    value,
    optional: true,
    hint: "Addresses or networks it may be used from, such as 203.0.113.0/24. One a line; none means any.",
  });

/**
 * `offered` is what an owner can give, `[{name, description}]`; `held` what the key has, null for all
 * of them. Nothing where there are none.
 */
export function scopesField(offered, held, when) {
  if (!offered.length) return null;
  const lost = (held ?? []).filter((scope) => offered.every(({ name }) => name !== scope));
  const hint = `It also has ${lost.join(", ")}, which cannot be given (any more): lost if you change the scopes.`;
  return choices({
    name: "scopes",
    label: "Scopes",
    hint: lost.length ? hint : null,
    options: offered.map(({ name, description }) => [name, name, description]),
    chosen: held ?? offered.map(({ name }) => name),
    missing: "Choose at least one scope",
    when,
  });
}

export const metadataField = (value) =>
  field({
    name: "metadata",
    label: "Metadata",
    type: "textarea",
    rows: value === null ? "3" : "6",
    value: metadataText(value),
    optional: true,
    class: "code",
    dir: "ltr",
    spellcheck: "false",
    hint: 'What you want to find with the key again, as JSON, such as {"customer": "c-17"}. No secrets.',
    check: (text) => readMetadata(text).fault ?? null,
  });

/** When it ends: one of a few spans, or a moment in the browser's own time. */
export function expiryFields(moment) {
  return [
    field({
      name: "expires_at",
      label: "Expires",
      options: LIVES,
      value: moment ? "date" : "",
    }),
    field({
      name: "expires_on",
      about: "expires_at",
      label: "Expires on",
      type: "datetime-local",
      value: moment ? localMoment(new Date(moment)) : null,
      missing: "Choose a date and a time",
      when: (values) => values.expires_at === "date",
    }),
  ];
}

/** As `datetime-local` has it: the time of the browser's zone, without a zone. */
function localMoment(date) {
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What the forms have in common, in the API's words. Null is what was left open. */
export function fieldsOf(values, offered) {
  const body = {
    name: values.name.trim(),
    allowed_ips: linesOf(values.allowed_ips),
    expires_at: momentOf(values),
    limits: values.limits,
    metadata: readMetadata(values.metadata).value,
  };
  if (values.allowed_origins !== undefined) body.allowed_origins = linesOf(values.allowed_origins);
  if (values.scopes) body.scopes = values.scopes.length < offered.length ? values.scopes : null;
  return body;
}

function linesOf(text) {
  const lines = text.split(/[\s,]+/).filter(Boolean);
  return lines.length ? lines : null;
}

function momentOf({ expires_at: life, expires_on: moment }) {
  if (life === "date") return new Date(moment).toISOString();
  return life ? new Date(Date.now() + life * 86_400_000).toISOString() : null;
}

/** Whether a field is as it is stored. One that shows a time to the minute has not changed its seconds. */
export function isSame(name, value, key, offered) {
  if (name === "expires_at" && value && key.expires_at)
    return localMoment(new Date(value)) === localMoment(new Date(key.expires_at));
  if (name === "scopes") return shownScopes(value, offered) === shownScopes(key.scopes, offered);
  if (name === "limits") return comparable(value) === comparable(key.limits);
  return JSON.stringify(value) === JSON.stringify(key[name]);
}

/** As the form has them. */
function shownScopes(scopes, offered) {
  const names = offered.map(({ name }) => name);
  return names.filter((name) => scopes === null || scopes.includes(name)).join();
}
