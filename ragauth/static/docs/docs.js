// The page: reads a document, shows one route at a time, keeps the address in step with it.

import { Description } from "./description.js";
import { codeBlock, el, inline, jsonParts, markdown, table } from "./dom.js";
import { articleOf, consoleOf, forgetConsoles, title } from "./operation.js";
import { startBar } from "./session.js";

const at = (id) => document.getElementById(id);
const root = document.body.dataset.root;
const OVERVIEW = "#overview";
const ERRORS = "#errors";
const views = new Map();
let description = null;
let opened = null;
let readings = 0;

/** First a call that needs nothing, then one with the key that it handed out. */
function firstCalls() {
  const named = (id) => description.operations.find((one) => one.operationId === id);
  const first = named("signUp") ?? named("register") ?? description.operations[0];
  const second = named("showKeyHolder");
  const step = (operation, heading) => [
    el("h2", {}, heading, " ", el("a", { href: operation.link }, title(operation))),
    consoleOf(description, operation, root),
  ];
  return [step(first, "The first call"), second ? step(second, "Then with the key") : []];
}

function codeTable() {
  const rows = description.codes().map(({ code, description: words, details }) => [
    el("code", {}, code),
    markdown(words),
    details.map(({ name, type, description: meaning }) =>
      el("div", {}, el("code", {}, name), " ", inline(meaning),
        type.startsWith('"') ? ` ${type}.` : "")),
  ]);
  return rows.length ? table(["Code", "When", "Details"], rows, "Codes") : null;
}

const VIEWS = {
  [OVERVIEW]: () =>
    el("article", {},
      el("h1", { tabindex: -1 }, `${description.document.info.title} reference`),
      firstCalls(),
      markdown(description.document.info.description)),
  [ERRORS]: () =>
    el("article", {},
      el("h1", { tabindex: -1 }, "Errors"),
      el("p", {}, "What each status can mean. Each route names those that it gives."),
      codeTable(),
      description.errors().map(({ status, description: words, examples }) => [
        el("h2", { id: `error-${status}`, tabindex: -1 }, `${status} ${words}`),
        el("div", { class: "examples" }, examples.map((one) =>
          el("div", {},
            el("p", { class: "label" }, one.summary),
            codeBlock(`${status}: ${one.summary}`, jsonParts(one.value))))),
      ])),
};

function viewOf(link) {
  if (!views.has(link)) {
    const operation = description.find(link);
    views.set(link, operation ? articleOf(description, operation, root) : VIEWS[link]());
  }
  return views.get(link);
}

function hashOfAddress() {
  try {
    return decodeURIComponent(location.hash);
  } catch {
    // A bare percent sign: it names no route.
    return "";
  }
}

function linkOfAddress() {
  const hash = hashOfAddress();
  if (hash.startsWith(`${ERRORS}/`) || hash === ERRORS) return ERRORS;
  return description.find(hash)?.link ?? OVERVIEW;
}

function show({ isMoved }) {
  const link = linkOfAddress();
  const view = viewOf(link);
  at("reference").replaceChildren(view);
  for (const one of at("routes").querySelectorAll("a")) {
    if (one.getAttribute("href") === link) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  const heading = view.querySelector("h1");
  document.title = `${heading.textContent.replaceAll("\u200b", "")} · ragauth reference`;
  openMenu(false);
  if (!isMoved) return;
  const [, status] = location.hash.match(/^#errors\/(\d+)$/) ?? [];
  const target = (status && at(`error-${status}`)) || heading;
  target.focus({ preventScroll: true });
  if (target === heading) scrollTo(0, 0);
  else target.scrollIntoView();
}

function navigation() {
  const entry = (operation) =>
    el("li", { "data-words": [operation.method, operation.path, operation.summary, operation.operationId]
        .join(" ").toLowerCase() },
      el("a", { href: operation.link, title: operation.summary }, title(operation)));
  const chapters = description.chapters().map((chapter) =>
    el("section", {}, el("h2", {}, chapter.name), el("ul", {}, chapter.operations.map(entry))));
  const plain = (link, text) =>
    el("li", { "data-words": text.toLowerCase() }, el("a", { href: link }, text));
  at("routes").replaceChildren(
    el("section", {}, el("ul", {}, plain(OVERVIEW, "Overview"), plain(ERRORS, "Errors"))),
    ...chapters,
  );
}

function filter() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const section of at("routes").children) {
    const items = [...section.querySelectorAll("li")];
    for (const item of items) {
      item.hidden = !words.every((word) => item.dataset.words.includes(word));
      if (!item.hidden) found += 1;
    }
    section.hidden = items.every((item) => item.hidden);
  }
  at("found").textContent = words.length ? `${found} found` : "";
}

function openMenu(isOpen) {
  at("menu").setAttribute("aria-expanded", String(isOpen));
  at("side").classList.toggle("open", isOpen);
}

async function read(url) {
  const response = await fetch(url);
  const content = await response.json();
  if (!response.ok) throw new Error(content.error?.message ?? response.statusText);
  return new Description(content);
}

/**
 * Read a document and show what the address names in it.
 *
 * A reading that is overtaken, be it by one of the same document, shows nothing, nor its failure:
 * the later one would take away what was typed meanwhile.
 */
async function open(url, isMoved) {
  const mine = (readings += 1);
  at("raw").href = url;
  at("raw").textContent = url;
  opened = url;
  try {
    const found = await read(url);
    if (mine !== readings) return;
    description = found;
    views.clear();
    forgetConsoles();
    navigation();
    filter();
    show({ isMoved });
  } catch (error) {
    if (mine === readings) tell(error);
  }
}

function tell(error) {
  at("reference").replaceChildren(el("p", { role: "alert" }, `The document could not be read: ${error.message}`));
}

/** The document that has the route of the address: a face's routes begin with its folder. */
function documentOfAddress() {
  const path = hashOfAddress().replace(/^#[A-Z]*/, "");
  const urls = [...at("document").options].map((option) => option.value);
  const folder = (url) => url.slice(root.length).replace(/openapi\.json$/, "");
  return urls.slice(1).find((url) => path.startsWith(folder(url))) ?? urls[0];
}

const documents = at("document");
documents.closest("label").hidden = documents.options.length < 2;
documents.addEventListener("change", () => {
  history.replaceState(null, "", location.pathname);
  open(documents.value, false);
});
addEventListener("hashchange", () => {
  const isPlain = !location.hash.includes("/") || location.hash.startsWith(`${ERRORS}/`);
  const url = isPlain ? documents.value : documentOfAddress();
  if (url === opened && description) show({ isMoved: true });
  else {
    documents.value = url;
    open(url, true);
  }
});
at("search").addEventListener("input", filter);
at("menu").addEventListener("click", () =>
  openMenu(at("menu").getAttribute("aria-expanded") !== "true"));

startBar(root);
documents.value = documentOfAddress();
open(documents.value, false);
