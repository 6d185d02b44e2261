// The auth bar: what is set, and the right credential for each route.
//
// Credentials live in this closure alone: no storage, no cookie, gone with the page. Which route
// gets which is decided by the document's `security`, by Swagger UI itself.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const LOGIN = "/api/auth/login";
  // What the faces call a token and a raw key in their answers.
  const TOKEN_NAMES = ["token", "access_token", "access"];
  const KEY_NAMES = ["api_key", "raw_key", "key"];

  const credentials = { jwt: null, key: null };
  let ui = null;

  const kindOf = (scheme) =>
    scheme.type === "http" ? "jwt" : scheme.type === "apiKey" ? "key" : null;

  /** Hand what is set to Swagger UI, under the names that the document gives the schemes. */
  function apply() {
    const schemes = ui?.specSelectors.specJson().getIn(["components", "securitySchemes"]);
    for (const [name, scheme] of Object.entries(schemes?.toJS() ?? {})) {
      const value = credentials[kindOf(scheme)];
      if (value) ui.preauthorizeApiKey(name, value);
      else if (ui.authSelectors.authorized()?.has(name)) ui.authActions.logout([name]);
    }
  }

  function show() {
    at("jwt-state").hidden = !credentials.jwt;
    at("key-state").hidden = !credentials.key;
    const isAnySet = Boolean(credentials.jwt || credentials.key);
    at("no-state").hidden = isAnySet;
    at("forget").hidden = !isAnySet;
  }

  function set(changes, note = "") {
    Object.assign(credentials, changes);
    at("note").textContent = note;
    show();
    apply();
  }

  /** The credentials that a success handed out, so that the next call can use them. */
  function keep(answer) {
    const data = answer?.data ?? answer;
    if (data === null || typeof data !== "object") return;
    const text = (names) => names.map((name) => data[name]).find((one) => typeof one === "string");
    const [jwt, key] = [text(TOKEN_NAMES), text(KEY_NAMES)];
    if (!jwt && !key) return;
    const kept = [jwt && "token", key && "key"].filter(Boolean).join(" and ");
    set({ ...(jwt && { jwt }), ...(key && { key }) }, `The answer's ${kept} will be used from now on.`);
  }

  /** Swagger UI hands over every answer, the document's own too. */
  function receive(response) {
    const path = new URL(response.url, location.href).pathname;
    if (!response.ok || path.endsWith("/openapi.json")) return response;
    if (response.status === 204 && /\/(logout|me\/delete)\/?$/.test(path)) {
      set({ jwt: null }, "Logged out.");
    } else if (response.status < 300) {
      keep(response.body ?? response.obj);
    }
    return response;
  }

  const nothing = () => () => null;
  // The bar takes the place of Swagger UI's own dialogs: one place says what is set.
  const withoutDialogs = () => ({
    wrapComponents: {
      authorizeBtn: nothing,
      authorizeOperationBtn: nothing,
      AuthorizeBtnContainer: nothing,
    },
  });

  function open(url) {
    at("raw").href = url;
    at("raw").textContent = url;
    // React wants a container that it has not seen.
    const container = document.createElement("div");
    at("reference").replaceChildren(container);
    ui = SwaggerUIBundle({
      url,
      domNode: container,
      layout: "BaseLayout",
      presets: [SwaggerUIBundle.presets.apis],
      plugins: [withoutDialogs],
      deepLinking: true,
      displayRequestDuration: true,
      docExpansion: "list",
      // Each route shows the shapes that it takes and gives.
      defaultModelsExpandDepth: -1,
      defaultModelRendering: "example",
      filter: true,
      tryItOutEnabled: true,
      persistAuthorization: false,
      validatorUrl: null,
      responseInterceptor: receive,
      onComplete: apply,
    });
  }

  at("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const password = at("password").value;
    at("password").value = "";
    try {
      const response = await fetch(LOGIN, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ email: at("email").value, password }),
      });
      const answer = await response.json();
      if (!response.ok) at("note").textContent = answer.error.message;
      else if (answer.data.token) set({ jwt: answer.data.token }, "Logged in.");
      else at("note").textContent = "The account has a second factor: log in at /login and /login/mfa below.";
    } catch {
      at("note").textContent = "The service did not answer.";
    }
  });

  at("set-key").addEventListener("submit", (event) => {
    event.preventDefault();
    set({ key: at("key").value.trim() });
    at("key").value = "";
  });

  at("forget").addEventListener("click", () => {
    set({ jwt: null, key: null });
    at("email").focus();
  });

  const documents = at("document");
  documents.closest("label").hidden = documents.options.length < 2;
  documents.addEventListener("change", () => {
    // The fragment names a route of the document before.
    history.replaceState(null, "", location.pathname);
    open(documents.value);
  });

  // With a reload the browser may offer what was chosen before.
  documents.selectedIndex = 0;
  open(documents.value);
  show();
})();
