// The auth bar: logging in, what is set, and what an answer hands out.
//
// Credentials live in this module alone: no storage, no cookie, gone with the page.

const at = (id) => document.getElementById(id);
// What the faces call a token and a raw key in their answers.
const TOKEN_NAMES = ["token", "access_token", "access"];
const KEY_NAMES = ["api_key", "raw_key", "key"];

const credentials = { jwt: null, key: null };
const listeners = [];
let mfaToken = null;

export const credentialOf = (kind) => credentials[kind];
export const whenChanged = (listener) => listeners.push(listener);

function set(changes, note = "") {
  Object.assign(credentials, changes);
  at("note").textContent = note;
  at("jwt-state").hidden = !credentials.jwt;
  at("key-state").hidden = !credentials.key;
  const isAnySet = Boolean(credentials.jwt || credentials.key);
  at("no-state").hidden = isAnySet;
  at("forget").hidden = !isAnySet;
  for (const listener of listeners) listener();
}

/** The credentials that a success handed out, so that the next call can use them. */
export function receive(path, status, answer) {
  if (status === 204 && /\/(logout|me\/delete)\/?$/.test(path)) {
    set({ jwt: null }, "Logged out.");
    return;
  }
  const data = answer?.data ?? answer;
  if (status >= 300 || data === null || typeof data !== "object") return;
  const text = (names) => names.map((name) => data[name]).find((one) => typeof one === "string");
  const [jwt, key] = [text(TOKEN_NAMES), text(KEY_NAMES)];
  if (!jwt && !key) return;
  const kept = [jwt && "token", key && "key"].filter(Boolean).join(" and ");
  set({ ...(jwt && { jwt }), ...(key && { key }) }, `The answer's ${kept} will be used from now on.`);
}

function askForCode(token) {
  mfaToken = token;
  at("login").hidden = token !== null;
  at("second-step").hidden = token === null;
  at(token === null ? "email" : "code").focus();
}

async function post(url, body) {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.ok) return answer.data;
    at("note").textContent = `${answer.error.message} (request ${response.headers.get("X-Request-Id")})`;
  } catch {
    at("note").textContent = "The service did not answer.";
  }
  return null;
}

function submit(id, act) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

/** A field's text, which does not stay in the field. */
function taken(id) {
  const { value } = at(id);
  at(id).value = "";
  return value;
}

export function startBar(root) {
  submit("login", async () => {
    const data = await post(`${root}/api/auth/login`, {
      email: at("email").value,
      password: taken("password"),
    });
    if (data?.mfa_token) {
      askForCode(data.mfa_token);
      at("note").textContent = "The account has a second factor: enter its code.";
    } else if (data) set({ jwt: data.token ?? null }, "Logged in.");
  });
  submit("second-step", async () => {
    const code = taken("code").trim();
    const data = await post(`${root}/api/auth/login/mfa`, { mfa_token: mfaToken, code });
    if (!data) return;
    askForCode(null);
    set({ jwt: data.token ?? null }, "Logged in.");
  });
  at("back").addEventListener("click", () => {
    askForCode(null);
    at("note").textContent = "";
  });
  submit("set-key", () => set({ key: taken("key").trim() }));
  at("forget").addEventListener("click", () => {
    set({ jwt: null, key: null });
    at("email").focus();
  });
}
