// One route: what it takes and gives, and a console with request and answer side by side.

import { codeBlock, el, inert, jsonParts, markdown, table } from "./dom.js";
import { LANGUAGES, parsed } from "./samples.js";
import { credentialOf, receive, whenChanged } from "./session.js";

const PLACEHOLDERS = { jwt: "YOUR_TOKEN", key: "YOUR_KEY" };
const LONGEST_SHOWN = 100_000;
let language = "curl";
const redraws = new Set();
const redraw = () => redraws.forEach((draw) => draw());
whenChanged(redraw);

/** Consoles of a document that is no longer shown are not drawn again. */
export const forgetConsoles = () => redraws.clear();

const badge = (operation) =>
  el("span", { class: `method ${operation.method.toLowerCase()}` }, operation.method);

export const title = (operation) => [
  badge(operation),
  " ",
  el("code", { class: "path" }, operation.path.replaceAll("/", "/\u200b")),
];

function parameterForm(operation, changed) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const input = el("input", {
      autocomplete: "off",
      spellcheck: "false",
      placeholder: String(parameter.schema.examples?.[0] ?? parameter.schema.default ?? ""),
      oninput: changed,
    });
    const label = el("label", {}, `${parameter.name} (${parameter.in})`, input);
    return { parameter, input, label };
  });
  const url = (root) => {
    let path = operation.path;
    const query = new URLSearchParams();
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") {
        const value = input.value ? encodeURIComponent(input.value) : `{${parameter.name}}`;
        path = path.replace(`{${parameter.name}}`, value);
      } else if (parameter.in === "query" && input.value) query.set(parameter.name, input.value);
    }
    return root + path + (query.size ? `?${query}` : "");
  };
  const headers = () =>
    Object.fromEntries(
      inputs
        .filter(({ parameter, input }) => parameter.in === "header" && input.value)
        .map(({ parameter, input }) => [parameter.name, input.value]),
    );
  return { labels: inputs.map((one) => one.label), url, headers };
}

function requestOf(description, operation, url, given, body) {
  const headers = { ...given };
  const wanted = description.credential(operation);
  const value = wanted && credentialOf(wanted.kind);
  if (value) headers[wanted.header] = wanted.before + value;
  if (body !== null) headers["Content-Type"] = "application/json";
  return { request: { method: operation.method, url, headers, body }, wanted, isSet: Boolean(value) };
}

function shownBody(text) {
  const json = parsed(text);
  return json ? jsonParts(json.value) : [inert(text.slice(0, LONGEST_SHOWN))];
}

function showAnswer(panel, response, text, milliseconds) {
  const names = [...response.headers].map(([name, value]) =>
    el("div", { class: name === "x-request-id" ? "request-id" : false }, [
      el("dt", {}, name === "x-request-id" ? "X-Request-Id" : name),
      el("dd", {}, inert(value)),
    ]),
  );
  const parts = [
    el(
      "p",
      { class: `status ${response.ok ? "good" : "bad"}` },
      el("strong", { class: "code" }, String(response.status)),
      ` ${response.statusText} · ${milliseconds} ms`,
    ),
    response.ok
      ? null
      : el("p", { class: "status" }, "X-Request-Id: ",
          el("code", {}, response.headers.get("X-Request-Id") ?? "")),
    text ? codeBlock("Body of the answer", shownBody(text)) : el("p", {}, "No body."),
    el("dl", { class: "headers" }, names),
  ];
  panel.replaceChildren(...parts.filter(Boolean));
}

function example(description, operation) {
  const { status, content } = description.success(operation);
  return [
    el("p", { class: "status" }, el("strong", {}, status), " · an example"),
    content?.example === undefined
      ? el("p", {}, content ? "JSON." : "No example of the body.")
      : codeBlock("Example of the answer", jsonParts(content.example)),
  ];
}

/** Request and answer of a route side by side. */
export function consoleOf(description, operation, root) {
  const bodyContent = description.body(operation);
  const draw = () => {
    const { request, wanted, isSet } = current();
    const shown = { ...request, url: location.origin + request.url };
    if (wanted && !isSet) {
      shown.headers = { [wanted.header]: wanted.before + PLACEHOLDERS[wanted.kind], ...request.headers };
    }
    sample.firstChild.replaceChildren(inert(LANGUAGES[language](shown)));
    for (const button of languages) {
      button.setAttribute("aria-pressed", String(button.textContent === language));
    }
  };
  const parameters = parameterForm(operation, () => draw());
  const body = bodyContent
    ? el("textarea", { rows: 7, spellcheck: "false", autocomplete: "off", oninput: () => draw() })
    : null;
  if (body) body.value = JSON.stringify(bodyContent.example ?? {}, null, 2);
  const current = () =>
    requestOf(
      description, operation, parameters.url(root), parameters.headers(), body ? body.value : null,
    );

  const languages = Object.keys(LANGUAGES).map((name) =>
    el("button", { type: "button", onclick: () => { language = name; redraw(); } }, name),
  );
  const sample = codeBlock("The request as a program");
  const copy = el(
    "button",
    { type: "button", hidden: !navigator.clipboard,
      onclick: () => navigator.clipboard.writeText(sample.textContent) },
    "Copy",
  );
  const answer = el("div", { class: "answer-body", "aria-live": "polite" }, example(description, operation));
  const send = async (event) => {
    event.preventDefault();
    const { request } = current();
    const started = performance.now();
    answer.replaceChildren(el("p", { class: "status" }, "Waiting …"));
    const { method, url, headers } = request;
    let response = null;
    let text = "";
    try {
      response = await fetch(url, { method, headers, body: request.body, cache: "no-store" });
      text = await response.text();
    } catch {
      answer.replaceChildren(el("p", { class: "status bad" }, "The service did not answer."));
      return;
    }
    showAnswer(answer, response, text, Math.round(performance.now() - started));
    receive(operation.path, response.status, parsed(text)?.value ?? null);
  };
  const form = el(
    "form",
    { class: "request", onsubmit: send },
    el("div", { class: "tools" },
      el("div", { role: "group", "aria-label": "Language", class: "languages" }, languages),
      copy,
      el("button", { class: "send" }, "Send")),
    sample,
    parameters.labels.length ? el("div", { class: "parameters" }, parameters.labels) : null,
    body ? el("label", { class: "body" }, "Body", body) : null,
  );
  redraws.add(draw);
  draw();
  return el("div", { class: "console" },
    el("div", { role: "group", "aria-label": "Request" }, el("p", { class: "label" }, "Request"), form),
    el("div", { role: "group", "aria-label": "Answer" }, el("p", { class: "label" }, "Answer"), answer));
}

function fieldTable(description, heading, schema) {
  const rows = description.fields(schema).map((field) => [
    [el("code", {}, field.name), field.isRequired ? null : el("span", { class: "optional" }, " optional")],
    field.type,
    markdown(field.description),
  ]);
  return rows.length ? [el("h2", {}, heading), table(["Field", "Type", "Meaning"], rows, heading)] : [];
}

/** All of a route. */
export function articleOf(description, operation, root) {
  const body = description.body(operation);
  const { response, content } = description.success(operation);
  const parameters = (operation.parameters ?? []).map((one) => [
    [el("code", {}, one.name), one.required ? null : el("span", { class: "optional" }, " optional")],
    description.type(one.schema),
    markdown(one.description),
  ]);
  const headers = Object.entries(response.headers ?? {}).filter(([, header]) => !header.$ref);
  const refusals = description.refusals(operation).map(({ status, description: words }) => [
    el("a", { href: `#errors/${status}` }, status),
    markdown(words),
  ]);
  return el(
    "article",
    {},
    el("h1", { tabindex: -1 }, title(operation)),
    el("p", { class: "summary" }, operation.summary, " ",
      el("a", { href: operation.link, class: "permalink" }, "Link to this route")),
    consoleOf(description, operation, root),
    markdown(operation.description),
    parameters.length ? [el("h2", {}, "Parameters"), table(["Name", "Type", "Meaning"], parameters, "Parameters")] : [],
    body ? fieldTable(description, "Fields of the body", body.schema) : [],
    content ? fieldTable(description, "Fields of the answer", content.schema) : [],
    headers.length
      ? [el("h2", {}, "Headers of the answer"),
         table(["Name", "Meaning"], headers.map(([name, one]) => [el("code", {}, name), one.description]), "Headers")]
      : [],
    el("h2", {}, "Refusals"),
    table(["Status", "Why"], refusals, "Refusals"),
  );
}
