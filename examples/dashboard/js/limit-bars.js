/** Limits as bars, with words on what is left. */

import { h, quoted, show } from "./dom.js";
import { leftText, limitText } from "./limits.js";

const TICK_MS = 1_000;
const NEARLY = 0.8;

/** `used` of `size` as a bar; `label` is what it is a bar of, `text` what a screen reader says of it. */
export function bar(used, size, label, text) {
  const share = size ? Math.min(1, used / size) : 1;
  const fill = h("div", { class: `fill ${share >= 1 ? "full" : share >= NEARLY ? "high" : ""}` });
  fill.style.inlineSize = `${used > 0 ? Math.max(0.5, share * 100) : size ? 0 : 100}%`;
  return h(
    "div",
    {
      class: "meter",
      role: "meter",
      "aria-label": label,
      "aria-valuemin": "0",
      "aria-valuemax": size,
      "aria-valuenow": Math.min(used, size),
      "aria-valuetext": text,
    },
    fill,
  );
}

const OWNERS_WORDS = { key: "This key's", account: "Your plan's" };

/**
 * `quotas` as the API tells them. Their words keep up with the clock while they are shown; `whose`
 * says whose limits they are.
 */
export function limitBars(quotas, whose = OWNERS_WORDS) {
  const words = quotas.map(() => h("p", {}));
  const tell = () => quotas.forEach((quota, index) => show(words[index], leftText(quota)));
  tell();
  const list = h(
    "ul",
    { class: "limit-bars" },
    quotas.map((quota, index) =>
      h(
        "li",
        {},
        h(
          "div",
          { class: "limit-line" },
          words[index],
          quota.name ? h("small", {}, quoted(quota.name)) : null,
        ),
        bar(quota.used, quota.size, labelOf(quota, whose), leftText(quota)),
      ),
    ),
  );
  const timer = setInterval(() => (list.isConnected ? tell() : clearInterval(timer)), TICK_MS);
  return list;
}

function labelOf(quota, whose) {
  return `${whose[quota.of]} limit${quota.name ? ` ${quota.name}` : ""}: ${limitText(quota)}`;
}
