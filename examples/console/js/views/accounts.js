/** Accounts: finding one, by whatever is known of it or of a key; the newest; who uses most. */

import { picker, segments } from "../choosers.js";
import { call, callPage, may } from "../client.js";
import { h, named, quoted, show } from "../dom.js";
import { date, number, plural } from "../format.js";
import { meterName } from "../limits.js";
import { badge, banner, button, card, emptyState, pageHead, scrolling, skeleton } from "../parts.js";
import { nameOf, statesOf } from "../wording.js";

const PAGE = 20;
const TOP = 10;
// The part of a key that is shown: how it begins, and four characters. Never more goes anywhere.
const KEY = /^[a-z0-9]+_(?:live|test|pub|svc)_[0-9A-Za-z]{0,4}/;
// A whole key in a text, such as a header or a line of a file: of ragauth's forms also one that was
// cut short, and with a beginning that an operator chose its 36 characters tell it.
const WHOLE = [
  /([a-z0-9]+_(?:live|test|pub|svc)_[0-9A-Za-z]{4})[0-9A-Za-z]{8}/,
  /([0-9A-Za-z][0-9A-Za-z_-]{0,15}_[0-9A-Za-z]{4})[0-9A-Za-z]{32}(?![0-9A-Za-z])/,
];
const LONGEST_BEGINNING = 40;

// What was looked for last: the browser's way back from an account leads to it.
let sought = "";

export async function accounts() {
  const found = h("div", { class: "stack" });
  const said = h("p", { class: "said", role: "status" });
  let turns = 0;
  const input = h("input", {
    type: "search",
    name: "sought",
    "aria-label": "Find an account",
    placeholder: "ada@example.com, rag_live_a1b2…",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
  });
  input.value = sought;
  const search = h(
    "form",
    { class: "search", role: "search", onsubmit: look },
    input,
    h("button", { type: "submit", class: "primary" }, h("span", {}, "Find")),
  );

  async function look(event) {
    event?.preventDefault();
    const text = input.value.trim();
    // A whole key that was pasted leaves the page with what is shown of it alone.
    sought = WHOLE.map((form) => form.exec(text)?.[1]).find(Boolean) ?? text;
    input.value = sought;
    const mine = ++turns;
    show(found, skeleton(3));
    let content = null;
    try {
      content = await (sought ? resultsOf(sought) : beginning());
    } finally {
      // A later search may have been faster.
      if (mine === turns) show(found, content);
    }
    if (mine !== turns) return;
    const count = found.querySelectorAll("[data-account], [data-key]").length;
    said.textContent = sought ? `${plural(count, "result")} shown` : "";
  }

  await look();
  return h(
    "div",
    {},
    pageHead(
      "Accounts",
      "By e-mail, id, external id, a part of a name, or how a key begins. A whole key is cut to that before anything is asked.",
    ),
    search,
    said,
    found,
  );
}

/** What looks like a key may be an external id, and a key may begin with what an operator chose. */
async function resultsOf(text) {
  const looks = KEY.test(text) ? [keyResults, accountList] : [accountList, keyResults];
  for (const look of looks) {
    const found = await look(text);
    if (found) return found;
  }
  if (KEY.test(text) && !may("findKeys")) {
    return banner("warn", h("p", {}, "Your service key has not the scope “keys”, which finds keys."));
  }
  return card(
    {},
    emptyState("account", "Nothing found", [
      "No account has ", quoted(text), " in its names, or an id that begins so, and no key that may be seen begins so.",
    ]),
  );
}

/** Null without any. The accounts with an exact name first: that needs no look at all of them. */
async function accountList(text) {
  for (const exact of text.includes("@") ? ["email"] : ["external_id"]) {
    const { items } = await callPage("findAccounts", { query: { [exact]: text } });
    if (items.length) return accountCard("Found", items, null);
  }
  const query = { search: text, limit: PAGE };
  const { items, cursor } = await callPage("findAccounts", { query });
  return items.length ? accountCard("Found", items, cursor && { ...query, cursor }) : null;
}

function accountCard(title, items, next, text = null) {
  const list = h("ul", { class: "rows" }, items.map(accountRow));
  let query = next;
  const more = button("Show more", {
    class: "plain",
    onclick: async () => {
      more.disabled = true;
      try {
        const page = await callPage("findAccounts", { query });
        list.append(...page.items.map(accountRow));
        query = { ...query, cursor: page.cursor };
        more.hidden = page.cursor === null;
      } finally {
        more.disabled = false;
      }
    },
  });
  return card({ title, text }, list, query ? h("footer", { class: "centre" }, more) : null);
}

function accountRow(account) {
  return h(
    "li",
    { class: "row", "data-account": account.id },
    h(
      "div",
      { class: "grow" },
      h(
        "p",
        { class: "title" },
        h("a", { href: `/accounts/${account.id}` }, h("strong", {}, named(nameOf(account)))),
        statesOf(account),
      ),
      h(
        "p",
        { class: "meta" },
        h("code", {}, account.id),
        account.name ? h("span", {}, named(account.name)) : null,
        account.external_id && account.email ? h("span", {}, named(account.external_id)) : null,
        h("span", {}, "since ", date(account.created_at)),
      ),
    ),
  );
}

async function keyResults(sought) {
  const text = KEY.exec(sought)?.[0] ?? sought;
  if (!may("findKeys") || text.length > LONGEST_BEGINNING) return null;
  const query = { prefix: text, include_revoked: true, limit: PAGE };
  const { items: keys, cursor } = await callPage("findKeys", { query });
  if (!keys.length) return null;
  const owners = await ownersOf(keys);
  return card(
    { title: "Keys", text: `That begin with ${text}, dead ones too${cursor ? `: the newest ${PAGE}` : ""}` },
    h(
      "ul",
      { class: "rows" },
      keys.map((key) =>
        h(
          "li",
          { class: "row", "data-key": key.id },
          h(
            "div",
            { class: "grow" },
            h(
              "p",
              { class: "title" },
              h("code", {}, `${key.prefix}…`),
              named(key.name),
              key.is_active ? null : badge("Off or revoked", "bad"),
            ),
            h(
              "p",
              { class: "meta" },
              h(
                "a",
                { href: `/accounts/${key.account_id}` },
                named(owners.get(key.account_id) ?? key.account_id),
              ),
              h("span", {}, "made ", date(key.created_at)),
            ),
          ),
        ),
      ),
    ),
  );
}

/** The names of the accounts that rows are about, by id. */
async function ownersOf(rows) {
  const ids = [...new Set(rows.map((row) => row.account_id))];
  const found = await Promise.all(
    ids.map((id) =>
      // What a deleted account used stays in the list.
      call("showAccount", { path: { account_id: id } }).catch((error) => {
        if (error.status !== 404) throw error;
        return null;
      }),
    ),
  );
  return new Map(ids.map((id, index) => [id, found[index] && nameOf(found[index])]));
}

async function beginning() {
  const [{ items, cursor }, top] = await Promise.all([
    callPage("findAccounts", { query: { limit: TOP } }),
    may("listTop") ? topCard() : null,
  ]);
  if (!items.length) {
    return card({}, emptyState("account", "No account yet", "Whoever signs up is shown here."));
  }
  const next = cursor && { limit: PAGE, cursor };
  return [top, accountCard("Newest", items, next)];
}

async function topCard() {
  const { meters } = await call("showPolicy");
  const state = { by: "requests", days: "7" };
  const place = h("div", {});
  const counted = picker("What is compared", (by) => choose({ by }));
  const days = segments(
    "Of how many days",
    [
      ["1", "Today"],
      ["7", "7 days"],
      ["30", "30 days"],
    ],
    (chosen) => choose({ days: chosen }),
  );
  const names = ["requests", "units", ...meters.map(({ name }) => name).filter((name) => name !== "requests")];
  counted.fill(names.map((name) => [name, meterName(name)]), state.by);
  let turns = 0;

  async function choose(change) {
    const mine = ++turns;
    Object.assign(state, change);
    days.mark(state.days);
    const rows = await call("listTop", { query: { ...state, limit: TOP } });
    const owners = await ownersOf(rows);
    if (mine === turns) show(place, topTable(rows, owners, state.by));
  }

  await choose({});
  return card(
    {
      title: "Who uses most",
      text: "Live and test keys together; days are counted in UTC",
    },
    h("div", { class: "choosers spaced" }, counted.element, days.element),
    place,
  );
}

function topTable(rows, owners, by) {
  if (!rows.length) return h("p", { class: "muted" }, "Nothing was used in these days.");
  const amount = (row) => (by === "requests" || by === "units" ? row[by] : (row.use[by] ?? 0));
  const most = amount(rows[0]);
  return scrolling(
    "Who uses most",
    h(
      "table",
      { class: "top" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Account"),
          h("th", { scope: "col", class: "right" }, meterName(by)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) => {
          const share = h("div", { class: "share" });
          share.style.inlineSize = `${(100 * amount(row)) / Math.max(1, most)}%`;
          const owner = owners.get(row.account_id);
          return h(
            "tr",
            {},
            h(
              "td",
              {},
              owner
                ? h("a", { href: `/accounts/${row.account_id}` }, named(owner))
                : h("span", { class: "muted" }, "a deleted account"),
              share,
            ),
            h("td", { class: "right" }, number(amount(row))),
          );
        }),
      ),
    ),
  );
}
