/**
 * Every call to the API that this dashboard makes, and nothing else. The project's tests hold it
 * against /openapi.json: each path, method, body field and query parameter must be there.
 *
 * `open` asks for no token. `cookie` is what takes the refresh token, from a cookie or a body. `file`
 * is the type of what is answered as a file to be saved.
 */

const auth = "/api/auth";
const key = `${auth}/api-keys/{key_id}`;
const agent = "/api/agents/{agent_id}";
const page = ["limit", "cursor"];
const span = ["from", "to", "key_id", "group_by"];
const keyFields = [
  ...["name", "scopes", "expires_at", "allowed_ips", "allowed_origins"],
  ...["limits", "metadata"],
];

export const OPERATIONS = {
  signUp: {
    method: "POST",
    path: `${auth}/signup`,
    open: true,
    body: ["email", "password", "name"],
  },
  logIn: {
    method: "POST",
    path: `${auth}/login`,
    open: true,
    body: ["email", "username", "password"],
  },
  completeLogin: {
    method: "POST",
    path: `${auth}/login/mfa`,
    open: true,
    body: ["mfa_token", "code"],
  },
  refresh: {
    method: "POST",
    path: `${auth}/token/refresh`,
    open: true,
    cookie: true,
    body: ["refresh_token"],
  },
  logOut: { method: "POST", path: `${auth}/logout` },

  showAccount: { method: "GET", path: `${auth}/me` },
  changeAccount: { method: "PATCH", path: `${auth}/me`, body: ["name", "username", "limit_mails"] },
  exportAccount: { method: "GET", path: `${auth}/export`, file: "application/json" },
  deleteAccount: { method: "POST", path: `${auth}/me/delete`, body: ["password"] },

  forgotPassword: { method: "POST", path: `${auth}/password/forgot`, open: true, body: ["email"] },
  resetPassword: {
    method: "POST",
    path: `${auth}/password/reset`,
    open: true,
    body: ["token", "new_password"],
  },
  changePassword: {
    method: "POST",
    path: `${auth}/password/change`,
    body: ["current_password", "new_password"],
  },

  verifyEmail: { method: "POST", path: `${auth}/email/verify`, open: true, body: ["token"] },
  resendVerification: { method: "POST", path: `${auth}/email/resend` },
  changeEmail: { method: "POST", path: `${auth}/email/change`, body: ["new_email", "password"] },

  showSecondFactor: { method: "GET", path: `${auth}/second-factor` },
  enrolSecondFactor: { method: "POST", path: `${auth}/second-factor`, body: ["password"] },
  confirmSecondFactor: { method: "POST", path: `${auth}/second-factor/confirm`, body: ["code"] },
  renewRecoveryCodes: {
    method: "POST",
    path: `${auth}/second-factor/recovery-codes`,
    body: ["password", "code"],
  },
  removeSecondFactor: {
    method: "POST",
    path: `${auth}/second-factor/delete`,
    body: ["password", "code"],
  },

  listSessions: { method: "GET", path: `${auth}/sessions`, query: page },
  endSession: { method: "DELETE", path: `${auth}/sessions/{session_id}` },
  endOtherSessions: { method: "DELETE", path: `${auth}/sessions` },
  listEvents: { method: "GET", path: `${auth}/events`, query: page },

  listKeys: { method: "GET", path: `${auth}/api-keys`, query: [...page, "include_revoked"] },
  createKey: {
    method: "POST",
    path: `${auth}/api-keys`,
    body: [...keyFields, "kind", "environment", "agent_id"],
  },
  showKey: { method: "GET", path: key },
  changeKey: { method: "PATCH", path: key, body: [...keyFields, "is_active"] },
  rotateKey: { method: "POST", path: `${key}/rotate`, body: ["grace_seconds"] },
  revokeKey: { method: "DELETE", path: key },
  regeneratePrimaryKey: { method: "POST", path: `${auth}/api-key/regenerate` },

  listAgents: { method: "GET", path: "/api/agents", query: page },
  createAgent: { method: "POST", path: "/api/agents", body: ["name", "description"] },
  showAgent: { method: "GET", path: agent },
  changeAgent: { method: "PATCH", path: agent, body: ["name", "description"] },
  deleteAgent: { method: "DELETE", path: agent },

  listUsage: { method: "GET", path: `${auth}/usage`, query: [...page, ...span] },
  saveUsage: { method: "GET", path: `${auth}/usage`, query: span, file: "text/csv" },
  showLimits: { method: "GET", path: `${auth}/limits`, query: ["key_id"] },
  listScopes: { method: "GET", path: `${auth}/scopes` },
};
