/** What the service does at this moment, from `/metrics`. */

import { metrics } from "../client.js";
import { h, show, svg } from "../dom.js";
import { duration, number, plural } from "../format.js";
import { between, look } from "../metrics.js";
import { banner, card, pageHead, scrolling } from "../parts.js";
import { ApiError } from "../wire.js";
import { failure } from "../words.js";

const EVERY_MS = 2_000;
const LOOKS = 60;
const PICTURE = { width: 600, height: 120, edge: 4 };

export async function live() {
  const looks = [look(await metrics(), Date.now())];
  const rates = [];
  const notice = h("div", { role: "status" });
  const table = h("table", {});
  const refused = scrolling("Refusals by reason", table);
  const figures = h("div", { class: "figures live" });
  const picture = h("div", {});
  const refusals = h("div", {});
  const nothing = h("p", { class: "muted" }, "Nothing was refused.");
  const page = h(
    "div",
    {},
    pageHead("Live", `Every ${EVERY_MS / 1000} seconds, of all workers behind this address.`),
    h(
      "div",
      { class: "stack" },
      notice,
      figures,
      card({ title: "Checks a second", text: "The orange part was refused" }, picture),
      card({ title: "Refusals by reason", text: "Since the service was started" }, refusals),
    ),
  );
  async function tick() {
    // Another view is shown: this one is over.
    if (!page.isConnected) return;
    if (document.visibilityState === "visible") {
      try {
        await next();
        show(notice);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // Said once, not at every look.
        if (!notice.hasChildNodes()) show(notice, banner("bad", failure(error)));
      }
    }
    setTimeout(tick, EVERY_MS);
  }

  async function next() {
    const newest = look(await metrics(), Date.now());
    const rate = between(looks.at(-1), newest);
    if (rate === null) rates.length = 0;
    else rates.push(rate);
    looks.splice(0, looks.length, newest);
    rates.splice(0, Math.max(0, rates.length - LOOKS));
    draw(newest);
  }

  function draw(newest) {
    const rate = rates.at(-1) ?? between({ ...newest, at: newest.at - 1 }, newest);
    show(figures, figuresOf(newest, rate));
    show(picture, pictureOf(rates));
    show(table, refusalsOf(rate.refusals));
    // What has the focus, or was scrolled, stays.
    const content = rate.refusals.length ? refused : nothing;
    if (content.parentElement !== refusals) show(refusals, content);
  }

  draw(looks[0]);
  setTimeout(tick, EVERY_MS);
  return page;
}

const perSecond = (rate) => number(rate >= 10 ? Math.round(rate) : Math.round(rate * 10) / 10);

function figuresOf(now, rate) {
  const parts = [
    now.isDatabaseUp ? null : "the database is away",
    now.areCountersUp ? null : "the counters are away",
    now.isRedisUp ? null : "Redis is away",
    ...now.failing,
  ].filter(Boolean);
  return [
    figure("Checks", `${perSecond(rate.checks)}/s`, rate.milliseconds === null ? "no check just now" : `${number(Math.round(rate.milliseconds * 100) / 100)} ms each`),
    figure("Refused", `${perSecond(rate.refused)}/s`, rate.checks > 0 ? `${number(Math.round((100 * rate.refused) / rate.checks))} % of them` : "nothing"),
    figure(
      "Hashing",
      now.places === null ? "unknown" : `${number(now.placesTaken)} of ${number(now.places)} places`,
      `${perSecond(rate.hashes)}/s, ${perSecond(rate.hashesRefused)}/s turned away`,
      now.places !== null && now.placesTaken >= now.places,
    ),
    figure("Mail that waits", waiting(now.mails), oldest(now.mails, now.oldestMail)),
    figure("Webhooks' messages", waiting(now.messages), oldest(now.messages, now.oldestMessage)),
    figure("Health", parts.length ? "Trouble" : "Well", parts.join(", ") || plural(now.workers ?? 0, "worker"), parts.length > 0),
  ];
}

const waiting = (count) => (count === null ? "unknown" : number(count));
const oldest = (count, seconds) => (count ? `the oldest for ${duration(seconds ?? 0)}` : "nothing waits");

function figure(label, value, note, isAlarming = false) {
  return h(
    "div",
    { class: `figure ${isAlarming ? "alarming" : ""}` },
    h("p", { class: "label" }, label),
    h("p", { class: "value" }, value),
    h("p", { class: "note" }, note),
  );
}

function pictureOf(rates) {
  const { width, height, edge } = PICTURE;
  const most = Math.max(0, ...rates.map(({ checks }) => checks));
  const peak = Math.max(1, most);
  const step = width / LOOKS;
  const y = (value) => height - edge - ((height - 2 * edge) * value) / peak;
  const bars = rates.flatMap(({ checks, refused }, index) => {
    const x = width - (rates.length - index) * step;
    const bar = (tone, value) =>
      svg("rect", { class: tone, x, y: y(value), width: step - 1, height: Math.max(0, height - edge - y(value)) });
    return [bar("tone-0", checks), bar("tone-1", refused)];
  });
  const now = rates.at(-1);
  const text = now
    ? `Now ${perSecond(now.checks)} a second, the most ${perSecond(most)} in the last two minutes.`
    : "Waiting for a second look.";
  return [
    svg(
      "svg",
      { class: "pulse", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": text },
      bars,
    ),
    h("p", { class: "note muted" }, text),
  ];
}

/** The rows of the table. */
function refusalsOf(refusals) {
  return [
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Reason"),
        h("th", { scope: "col", class: "right" }, "a second"),
        h("th", { scope: "col", class: "right" }, "in all"),
      ),
    ),
    h(
      "tbody",
      {},
      refusals.map(({ verdict, rate, total }) =>
        h(
          "tr",
          {},
          h("td", {}, verdict.replaceAll("_", " ")),
          h("td", { class: "right" }, perSecond(rate)),
          h("td", { class: "right" }, number(total)),
        ),
      ),
    ),
  ];
}
