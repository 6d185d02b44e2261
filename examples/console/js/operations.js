/**
 * Every call to the API that this console makes, and nothing else. The project's tests hold it
 * against /openapi.json, and `scope` against what each route asks for.
 */

const internal = "/api/v1/internal";
const account = `${internal}/accounts/{account_id}`;
const webhook = `${internal}/webhooks/{webhook_id}`;
const page = ["limit", "cursor"];

export const OPERATIONS = {
  showHolder: { method: "GET", path: "/api/v1/me" },
  showMetrics: { method: "GET", path: "/metrics", file: "text/plain" },

  findAccounts: {
    method: "GET",
    path: `${internal}/accounts`,
    query: [...page, "search", "email", "external_id"],
    scope: "accounts",
  },
  showAccount: { method: "GET", path: account, scope: "accounts" },
  changeAccount: {
    method: "PATCH",
    path: account,
    body: ["plan", "status", "limits"],
    scope: "accounts",
  },
  showLimits: { method: "GET", path: `${account}/limits`, scope: "accounts" },
  listEvents: { method: "GET", path: `${account}/events`, query: page, scope: "accounts" },
  listSessions: { method: "GET", path: `${account}/sessions`, query: page, scope: "accounts" },
  endSessions: { method: "DELETE", path: `${account}/sessions`, scope: "accounts" },
  endSession: { method: "DELETE", path: `${account}/sessions/{session_id}`, scope: "accounts" },
  showPolicy: { method: "GET", path: `${internal}/policy`, scope: "accounts" },

  listKeys: {
    method: "GET",
    path: `${account}/api-keys`,
    query: [...page, "include_revoked"],
    scope: "keys",
  },
  findKeys: {
    method: "GET",
    path: `${internal}/api-keys`,
    query: [...page, "prefix", "include_revoked"],
    scope: "keys",
  },
  revokeKey: { method: "DELETE", path: `${internal}/api-keys/{key_id}`, scope: "keys" },

  listUsage: {
    method: "GET",
    path: `${internal}/usage`,
    query: [...page, "account_id", "from", "to", "group_by"],
    scope: "usage",
  },
  listTop: {
    method: "GET",
    path: `${internal}/usage/top`,
    query: ["by", "days", "limit"],
    scope: "usage",
  },

  listWebhooks: { method: "GET", path: `${internal}/webhooks`, scope: "webhooks" },
  changeWebhook: { method: "PATCH", path: webhook, body: ["is_active"], scope: "webhooks" },
  testWebhook: { method: "POST", path: `${webhook}/test`, scope: "webhooks" },
  listDeliveries: {
    method: "GET",
    path: `${webhook}/deliveries`,
    query: page,
    scope: "webhooks",
  },
  retryDelivery: {
    method: "POST",
    path: `${webhook}/deliveries/{delivery_id}/retry`,
    scope: "webhooks",
  },
};
