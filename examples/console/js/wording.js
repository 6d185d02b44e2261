/** What the console calls accounts and their states. */

import { badge } from "./parts.js";

/** What tells an account from others, best first. */
export const nameOf = ({ email, external_id: external, name, id }) => email ?? external ?? name ?? id;

export function statesOf({ plan, status, email, email_verified: isVerified }) {
  return [
    badge(plan, "accent"),
    status === "suspended" ? badge("Suspended", "bad") : null,
    email !== null && !isVerified ? badge("Address not confirmed") : null,
  ];
}
