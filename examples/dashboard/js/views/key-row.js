/** A key in the list: what it is, what it may do, what can be done with it. */

import { h, named } from "../dom.js";
import { date, number, plural } from "../format.js";
import { badge, rowButton, time } from "../parts.js";

/**
 * `key` has `isRevoked` beside the API's fields; `about` is what its buttons call it, `actions` what
 * they do.
 */
export function keyRow(key, { about, agent, units, actions }) {
  const isExpired = key.expires_at !== null && new Date(key.expires_at) <= Date.now();
  const isOver = key.isRevoked || isExpired || !key.is_active;
  return h(
    "li",
    { class: `row ${isOver ? "faint" : ""}`, "data-key": key.id },
    h(
      "div",
      { class: "grow" },
      h(
        "p",
        { class: "title" },
        h("strong", {}, named(key.name)),
        key.is_primary ? badge("Primary", "accent") : null,
        key.environment === "test" ? badge("Test", "warn") : null,
        key.kind === "publishable" ? badge("Publishable") : null,
        agent ? badge(agent.name) : null,
        states(key, isExpired),
      ),
      h("p", { class: "meta" }, facts(key, isExpired, units)),
    ),
    key.isRevoked ? null : h("div", { class: "actions" }, buttons(key, `key ${about}`, actions)),
  );
}

function states(key, isExpired) {
  if (key.isRevoked) return badge("Revoked", "bad");
  return [
    isExpired ? badge("Expired", "bad") : null,
    key.replaced_by === null ? null : badge("Replaced", "warn"),
    key.is_active ? null : badge("Off", "bad"),
  ];
}

function facts(key, isExpired, units) {
  const { allowed_ips: networks, allowed_origins: origins } = key;
  const end = key.replaced_by === null ? "expires " : "stops ";
  return [
    h("code", {}, `${key.prefix}…`),
    h("span", {}, key.scopes ? key.scopes.join(", ") || "no scope" : "all scopes"),
    networks ? h("span", { title: networks.join(", ") }, "from ", few(networks)) : null,
    origins ? h("span", { title: origins.join(", ") }, "on ", few(origins)) : null,
    h("span", {}, plural(units, "unit"), " this month"),
    h("span", {}, "made ", date(key.created_at)),
    h("span", {}, key.last_used_at ? ["used ", time(key.last_used_at)] : "never used"),
    key.expires_at && !isExpired && !key.isRevoked
      ? h("span", {}, end, time(key.expires_at))
      : null,
  ];
}

const few = ([first, ...rest]) => [named(first), rest.length ? ` and ${number(rest.length)} more` : ""];

function buttons(key, about, actions) {
  const isReplaced = key.replaced_by !== null;
  return [
    isReplaced ? null : rowButton("Edit", about, actions.edit),
    isReplaced ? null : rowButton("Rotate", about, actions.rotate),
    key.is_primary && !isReplaced ? rowButton("Regenerate", about, actions.regenerate) : null,
    rowButton("Revoke", about, actions.revoke, "danger-text"),
  ];
}
