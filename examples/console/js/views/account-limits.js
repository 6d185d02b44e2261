/** An account's limits: what is left of them, and what stands in the place of the plan's. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h } from "../dom.js";
import { choices, field, form } from "../form.js";
import { limitBars } from "../limit-bars.js";
import { limitText, meterName, spanOf } from "../limits.js";
import { notify } from "../notices.js";
import { badge, button, card, rowButton } from "../parts.js";

const WHOSE = { account: "The account's", key: "The key's" };
const SIZE = /^\d{1,3}(?:[\s,.'’]?\d{3})*$|^\d+$/;

export function limitsCard(told, state, refresh) {
  const own = state.account.limits ?? [];
  // Of what it has now: somebody else may have set another since this was shown.
  const change = async (edit) => {
    const { limits: present } = await call("showAccount", { path: state.path });
    const limits = edit(present ?? []);
    const body = { limits: limits.length ? limits : null };
    state.account = await call("changeAccount", { path: state.path, body });
    notify("The limits are changed. They hold from the next check on.");
    await refresh();
  };
  const set = button("Set a limit", {
    class: "plain small",
    onclick: () => setLimit(state, (limit) => change((present) => [...without(present, limit), limit])),
  });
  // Those of live keys: test keys are counted apart, under the same limits.
  const quotas = told.quotas.filter(({ environment }) => environment === "live");
  return card(
    { title: "Limits", text: `Plan ${told.plan}; what live keys have left`, aside: set },
    quotas.length ? limitBars(quotas, WHOSE) : h("p", { class: "muted" }, "No limit."),
    own.length
      ? [
          h("h3", { class: "spaced" }, "In the place of the plan's"),
          h(
            "ul",
            { class: "rows" },
            own.map((limit) => ownRow(limit, () => change((present) => without(present, limit)))),
          ),
        ]
      : null,
  );
}

const without = (limits, { meter, window }) =>
  limits.filter((one) => one.meter !== meter || one.window !== window);

function textOf(limit) {
  if (limit.size !== null) return limitText(limit);
  return `no limit of ${meterName(limit.meter)} ${spanOf(limit.window)}`;
}

function ownRow(limit, reset) {
  return h(
    "li",
    { class: "row" },
    h("p", { class: "grow title" }, textOf(limit), limit.size === null ? badge("Unlimited", "warn") : null),
    h("div", { class: "actions" }, rowButton("Reset", `to the plan's: ${textOf(limit)}`, reset)),
  );
}

function setLimit({ policy }, change) {
  return dialog({ title: "Set a limit" }, (close) =>
    form({
      fields: [
        h(
          "div",
          { class: "pair" },
          field({
            name: "meter",
            label: "Of",
            options: policy.meters.map(({ name }) => [name, meterName(name)]),
            value: "requests",
          }),
          field({
            name: "window",
            label: "Window",
            hint: "minute, hour, day, month, total, or a time such as 10s",
            value: "minute",
            autocomplete: "off",
          }),
        ),
        choices({
          name: "kind",
          label: "How much",
          type: "radio",
          options: [
            ["size", "At most"],
            ["none", "No limit"],
          ],
          chosen: ["size"],
        }),
        field({
          name: "size",
          label: "Amount",
          inputmode: "numeric",
          autocomplete: "off",
          when: ({ kind }) => kind === "size",
          check: (text) => (SIZE.test(text.trim()) ? null : "Write a whole number, such as 500000"),
        }),
      ],
      label: "Set it",
      cancel: () => close(),
      blame: () => "size",
      async submit({ meter, window, kind, size }) {
        const amount = kind === "none" ? null : Number(size.replace(/\D/g, ""));
        await change({ meter, window: window.trim(), size: amount });
        close();
      },
    }),
  );
}
