/** Webhooks: endpoints, what was sent to each, and what became of it. */

import { call, callPage } from "../client.js";
import { h, named, show } from "../dom.js";
import { plural } from "../format.js";
import { notify } from "../notices.js";
import { badge, button, card, emptyState, pageHead, rowButton, time } from "../parts.js";

const PAGE = 10;
const TONES = { delivered: "good", pending: "warn", failed: "bad" };

export async function webhooks() {
  const list = h("div", { class: "stack" });
  const found = await call("listWebhooks");
  show(
    list,
    found.length
      ? await Promise.all(found.map(webhookCard))
      : card(
          {},
          emptyState("agents", "No webhook yet", [
            "Add one with ",
            h("code", {}, "webhooks add URL"),
            " on the command line, which shows its secret once.",
          ]),
        ),
  );
  return h(
    "div",
    {},
    pageHead("Webhooks", "Endpoints of yours that are told of what happens, and how it went."),
    list,
  );
}

async function webhookCard(webhook) {
  const path = { webhook_id: webhook.id };
  const place = h("div", { "data-webhook": webhook.id });
  const rows = h("ul", { class: "rows" });
  const nothing = h("p", { class: "muted" }, "Nothing was sent in the last 30 days.");
  const more = button("Show more", { class: "plain", onclick: () => load(true) });
  let cursor;
  let shown = webhook;

  async function load(goesOn) {
    const query = { limit: PAGE, cursor: goesOn ? cursor : null };
    const found = await callPage("listDeliveries", { path, query });
    if (!goesOn) show(rows);
    rows.append(...found.items.map((one) => deliveryRow(one, () => retry(one))));
    nothing.hidden = rows.childElementCount > 0;
    cursor = found.cursor;
    more.hidden = cursor === null;
  }

  async function retry(delivery) {
    await call("retryDelivery", { path: { ...path, delivery_id: delivery.id } });
    notify("It is sent again.");
    await load(false);
  }

  function render() {
    const about = `webhook ${shown.url}`;
    const turn = rowButton(shown.is_active ? "Switch off" : "Switch on", about, async () => {
      shown = await call("changeWebhook", { path, body: { is_active: !shown.is_active } });
      render();
    });
    const test = rowButton("Send a test", `to ${about}`, async () => {
      await call("testWebhook", { path });
      notify("A test is on its way.");
      await load(false);
    });
    const again = rowButton("Load again", `deliveries of ${about}`, () => load(false));
    show(
      place,
      card(
        {
          title: h("span", { class: "title" }, named(shown.url), badge(shown.is_active ? "On" : "Off", shown.is_active ? "good" : "bad")),
          text: shown.events ? shown.events.join(", ") : "told of everything",
        },
        h("div", { class: "actions spaced" }, again, shown.is_active ? test : null, turn),
        rows,
        nothing,
        h("footer", { class: "centre" }, more),
      ),
    );
  }

  await load(false);
  render();
  return place;
}

function deliveryRow(one, retry) {
  const again = rowButton("Retry", `${one.type}, ${one.id}`, async () => {
    again.disabled = true;
    try {
      await retry();
    } finally {
      again.disabled = false;
    }
  });
  return h(
    "li",
    { class: "row", "data-delivery": one.id },
    h(
      "div",
      { class: "grow" },
      h("p", { class: "title" }, h("code", {}, one.type), badge(one.state, TONES[one.state])),
      h(
        "p",
        { class: "meta" },
        h("span", {}, time(one.created_at)),
        h("span", {}, plural(one.attempts, "attempt")),
        one.response_status ? h("span", {}, `answered ${one.response_status}`) : null,
        one.cause && !one.response_status ? h("span", {}, named(one.cause)) : null,
        one.next_attempt_at ? h("span", {}, "next ", time(one.next_attempt_at)) : null,
      ),
    ),
    h("div", { class: "actions" }, again),
  );
}
