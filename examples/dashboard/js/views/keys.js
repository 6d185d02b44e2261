/** API keys: found, made, changed, rotated, regenerated, revoked. */

import { call, callAll } from "../client.js";
import { confirmation } from "../dialog.js";
import { h, icon, quoted, show } from "../dom.js";
import { distinct, number, plural } from "../format.js";
import { notify } from "../notices.js";
import { badge, button, card, emptyState, pageHead } from "../parts.js";
import { refusedRequest } from "./explanation.js";
import { showKey } from "./key-details.js";
import { changeKey, createKey, revealKey, rotateKey } from "./key-dialogs.js";
import { keyRow } from "./key-row.js";

export async function keys() {
  const agentId = new URLSearchParams(location.search).get("agent");
  const state = { keys: [], agents: [], limits: null, units: new Map(), words: "", all: false };
  // What the dialogs offer.
  const offered = { scopes: [], meters: [] };
  const list = h("div", {});
  const quota = h("p", { class: "quota" });
  const head = h("div", { class: "actions" });
  const filter = h("div", {});

  let turn = 0;

  async function refresh() {
    const asked = ++turn;
    const [live, known, agents, limits, usage, scopes] = await Promise.all([
      callAll("listKeys"),
      state.all ? callAll("listKeys", { query: { include_revoked: true } }) : null,
      callAll("listAgents"),
      call("showLimits"),
      callAll("listUsage"),
      call("listScopes"),
    ]);
    // A later one may have been faster.
    if (asked !== turn) return;
    const liveIds = new Set(live.map(({ id }) => id));
    Object.assign(state, { agents, limits, units: unitsByKey(usage) });
    Object.assign(offered, { scopes, meters: metersOf(limits, usage) });
    state.keys = (known ?? live).map((key) => ({ ...key, isRevoked: !liveIds.has(key.id) }));
    showHead(live);
    showList();
  }

  function showHead(live) {
    const used = live.filter(countsForThePlan).length;
    const size = state.limits.max_keys;
    show(quota, `${number(used)} of ${number(size)} keys used`);
    quota.classList.toggle("reached", used >= size);
    const hasPrimary = live.some((key) => key.is_primary);
    show(
      head,
      hasPrimary || agentId
        ? null
        : button("New primary key", { class: "plain", onclick: regenerate }),
      create(),
    );
    const agent = state.agents.find(({ id }) => id === agentId);
    show(
      filter,
      agent
        ? h(
            "p",
            { class: "filter" },
            "Keys of the agent ",
            badge(agent.name, "accent"),
            " ",
            h("a", { href: "/keys" }, "Show all"),
          )
        : null,
    );
  }

  function showList() {
    const own = state.keys.filter((key) => !agentId || key.agent_id === agentId);
    const found = own.filter((key) => isFound(key, state));
    if (!own.length) {
      const text = "A key lets your programs speak for your account.";
      show(list, card({}, emptyState("keys", "No keys here", text, create())));
    } else if (!found.length) {
      const text = ["No key has ", quoted(state.words), " in its name, beginning or agent."];
      show(list, card({}, emptyState("keys", "Nothing found", text)));
    } else {
      show(list, card({}, h("ul", { class: "rows" }, found.map(row))));
    }
    said.textContent = plural(found.length, "key");
  }

  const row = (key, _, shown) =>
    keyRow(key, {
      about: distinct(shown, keyName, keyPrefix)(key),
      agent: state.agents.find(({ id }) => id === key.agent_id),
      units: state.units.get(key.id) ?? 0,
      actions: {
        show: () => showKey(key, offered),
        edit: async () => (await changeKey(key, offered)) && refresh(),
        rotate: async () => (await rotateKey(key)) && refresh(),
        regenerate,
        revoke: () => revoke(key),
      },
    });

  const create = () =>
    button(
      "New key",
      {
        class: "primary",
        onclick: async () => {
          const isMade = await createKey({ agents: state.agents, agentId, ...offered });
          if (isMade) await refresh();
        },
      },
      icon("plus"),
    );

  async function revoke(key) {
    const isDone = await confirmation(
      {
        title: ["Revoke ", quoted(key.name), "?"],
        text: [
          `From now on every request with ${key.prefix}… is refused, on every server, at once.`,
          "This cannot be undone.",
        ],
        label: "Revoke the key",
      },
      () => call("revokeKey", { path: { key_id: key.id } }),
    );
    if (!isDone) return;
    notify(h("p", {}, quoted(key.name), " is revoked."));
    await refresh();
  }

  async function regenerate() {
    let answer;
    const isDone = await confirmation(
      {
        title: "Regenerate the primary key?",
        text: [
          "You get a new primary key, and the old one is dead at once: programs that use it stop working until they have the new one.",
          "For a change without a gap rotate it.",
        ],
        label: "Regenerate",
      },
      async () => {
        answer = await call("regeneratePrimaryKey");
      },
    );
    if (!isDone) return;
    await revealKey("Your new primary key", answer);
    await refresh();
  }

  const search = h("input", {
    type: "search",
    "aria-label": "Search keys",
    placeholder: "Search keys",
    autocomplete: "off",
    spellcheck: "false",
    dir: "auto",
    oninput: () => {
      state.words = search.value.trim();
      showList();
    },
  });
  const said = h("span", { class: "said", role: "status" });
  const withRevoked = h("input", {
    type: "checkbox",
    onchange: async () => {
      state.all = withRevoked.checked;
      await refresh();
    },
  });
  const tools = h(
    "div",
    { class: "toolbar" },
    search,
    h("label", { class: "toggle" }, withRevoked, h("span", {}, "Show revoked keys")),
    quota,
    said,
  );

  await refresh();
  return h(
    "div",
    {},
    pageHead(
      "API keys",
      "Your programs show one of these with each request. Treat them like passwords.",
      head,
    ),
    tools,
    h("div", { class: "stack" }, filter, list, refusedRequest()),
  );
}

const keyName = ({ name }) => name;
const keyPrefix = ({ prefix }) => prefix;

/** As the API counts: not those in their grace, nor those that are over. */
function countsForThePlan({ replaced_by: successor, expires_at: end }) {
  return successor === null && (end === null || new Date(end) > Date.now());
}

function isFound(key, { words, agents }) {
  const agent = agents.find(({ id }) => id === key.agent_id);
  const texts = [key.name, key.prefix, agent?.name ?? ""];
  return texts.some((text) => text.toLowerCase().includes(words.toLowerCase()));
}

/** Those that are known of: others may be declared, and were not used yet. */
function metersOf({ quotas }, rows) {
  const used = rows.flatMap(({ use }) => Object.keys(use));
  return [...new Set(["requests", ...quotas.map(({ meter }) => meter), ...used])];
}

/** The units of the present month, live and test. */
function unitsByKey(rows) {
  const units = new Map();
  for (const row of rows) units.set(row.key_id, (units.get(row.key_id) ?? 0) + row.units);
  return units;
}
