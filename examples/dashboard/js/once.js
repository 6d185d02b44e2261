/**
 * Secrets on the one occasion that they can be seen: API keys, recovery codes. What shows them is
 * left only after they were copied, saved or ticked as stored.
 */

import { h, icon, show } from "./dom.js";
import { banner, button, copyButton, copyField } from "./parts.js";
import { config } from "./wire.js";

let ids = 0;

export const isUnstored = (place = document) => place.querySelector("[data-unstored]") !== null;

// A reload or a closed tab: the browser asks.
addEventListener("beforeunload", (event) => {
  if (isUnstored()) event.preventDefault();
});

/**
 * `text` is what is copied or saved, as `file`; `content(stored)` shows it, and calls `stored()`
 * when it was copied. `done()` is what the last button does.
 */
function shownOnce({ content, text, file, warning, them, label, more }, done) {
  const id = `once-${++ids}`;
  const finish = button(label, {
    class: "plain",
    disabled: true,
    "aria-describedby": id,
    onclick: () => {
      URL.revokeObjectURL(address);
      done();
    },
  });
  const hint = h("p", { class: "hint", id }, `Copy, save or tick ${them} first.`);
  const box = h("div", { class: "key-once", "data-unstored": true });
  const stored = () => {
    box.removeAttribute("data-unstored");
    finish.disabled = false;
    hint.hidden = true;
  };
  const tick = h("input", {
    type: "checkbox",
    onchange: () => {
      if (tick.checked) stored();
    },
  });
  const address = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
  show(
    box,
    content(stored),
    h(
      "div",
      { class: "keeping" },
      h("label", {}, tick, h("span", {}, `I have put ${them} in a safe place`)),
      h(
        "a",
        { href: address, download: file, class: "button plain small", onclick: stored },
        icon("download"),
        h("span", {}, "Save as a file"),
      ),
    ),
    banner("warn", h("p", {}, warning)),
  );
  return [box, more, h("footer", { class: "once" }, hint, finish)].filter(Boolean);
}

/** A raw key. `key` is the API's answer, where it is at hand. */
export function keyOnce(rawKey, done, { label = "I have stored it", key } = {}) {
  return shownOnce(
    {
      content: (stored) => copyField("API key", rawKey, stored),
      text: rawKey,
      file: "api-key.txt",
      warning:
        "This is the only time that the key is shown. Only its fingerprint is stored, so nobody can look it up later. Put it into your secret store now.",
      them: "it",
      label,
      more: h(
        "details",
        { class: "trial" },
        h("summary", {}, "Try it in a terminal"),
        copyField("Command", trial(rawKey, key)),
        h("p", { class: "hint" }, "“200 OK” means that it is good. It counts, so you see it in your usage."),
      ),
    },
    done,
  );
}

/** A check as a gateway makes it: unlike `/api/v1/me` it counts. */
export function trial(rawKey, key) {
  const origin = key?.allowed_origins?.[0];
  return [
    `curl -i ${config.api}/api/v1/authorize`,
    `-H "Authorization: Bearer ${rawKey}"`,
    ...(origin ? [`-H "Origin: ${origin}"`] : []),
  ].join(" ");
}

export function recoveryCodesOnce(codes, done) {
  return shownOnce(
    {
      content: (stored) => {
        const list = h(
          "ul",
          { class: "codes" },
          codes.map((code) => h("li", {}, h("code", {}, code))),
        );
        const blocked = () => getSelection().selectAllChildren(list);
        const options = { onCopied: stored, blocked, tone: "primary" };
        return [list, h("div", {}, copyButton("Recovery codes", codes.join("\n"), options))];
      },
      text: codes.join("\n"),
      file: "recovery-codes.txt",
      warning:
        "Each of them is good once, instead of a code of the app. They are shown only now: keep them where you find them without your phone.",
      them: "them",
      label: "I have stored them",
    },
    done,
  );
}
