/** A key in the list: what it is, what it may do, what can be done with it. */

import { h, named } from "../dom.js";
import { date, number, plural } from "../format.js";
import { limitText } from "../limits.js";
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
        key.managed ? badge("Your provider's") : null,
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
  const limits = (key.limits ?? []).map(limitText);
  const end = key.replaced_by === null ? "expires " : "stops ";
  return [
    h("code", {}, `${key.prefix}…`),
    h("span", {}, key.scopes ? key.scopes.join(", ") || "no scope" : "all scopes"),
    networks ? h("span", { title: networks.join(", ") }, "from ", few(networks)) : null,
    origins ? h("span", { title: origins.join(", ") }, "on ", few(origins)) : null,
    limits.length ? h("span", { title: limits.join(", ") }, few(limits)) : null,
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
  // What is replaced goes by itself; what is managed is its operator's.
  const isOwn = key.replaced_by === null && !key.managed;
  return [
    rowButton("Details", `of ${about}`, actions.show),
    isOwn ? rowButton("Edit", about, actions.edit) : null,
    isOwn ? rowButton("Rotate", about, actions.rotate) : null,
    key.is_primary && isOwn ? rowButton("Regenerate", about, actions.regenerate) : null,
    rowButton("Revoke", about, actions.revoke, "danger-text"),
  ];
}
