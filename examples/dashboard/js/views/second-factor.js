/** The second factor: turned on with an app, its recovery codes, turned off. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h, show } from "../dom.js";
import { field, form } from "../form.js";
import { date, plural } from "../format.js";
import { notify } from "../notices.js";
import { recoveryCodesOnce } from "../once.js";
import { badge, banner, button, card, copyField } from "../parts.js";

const codeField = (hint) =>
  field({
    name: "code",
    label: "Code",
    hint,
    autocomplete: "one-time-code",
    class: "code",
    maxlength: "20",
    missing: "Enter a code",
  });
const passwordField = () =>
  field({
    name: "password",
    label: "Your password",
    type: "password",
    autocomplete: "current-password",
    autofocus: true,
    missing: "Enter your password",
  });
const blame = (error) =>
  error.status !== 401 ? null : error.message === "Invalid code" ? "code" : "password";

/** `onChanged()` is called when it was turned on or off, or has new codes. */
export async function secondFactorCard(onChanged) {
  const place = h("div", {});
  await refresh(place, onChanged);
  return place;
}

async function refresh(place, onChanged) {
  const factor = await call("showSecondFactor");
  const again = async (dialogOf) => {
    if (await dialogOf()) await Promise.all([refresh(place, onChanged), onChanged()]);
  };
  show(
    place,
    factor.enabled
      ? card(
          {
            title: "Second factor",
            text: `On since ${date(factor.confirmed_at)}. ${plural(factor.recovery_codes_left, "recovery code")} left.`,
            aside: badge("On", "good"),
          },
          factor.recovery_codes_left <= 3
            ? banner(
                "warn",
                h("p", {}, "Few recovery codes are left. Make new ones before you need them."),
              )
            : null,
          h(
            "footer",
            {},
            button("New recovery codes", { class: "plain", onclick: () => again(renew) }),
            button("Turn off", { class: "plain danger-text", onclick: () => again(remove) }),
          ),
        )
      : card(
          {
            title: "Second factor",
            text: "A code of your phone besides the password: the best protection there is against a stolen one",
            aside: badge("Off"),
          },
          h("footer", {}, button("Turn on", { class: "primary", onclick: () => again(enrol) })),
        ),
  );
}

function enrol() {
  return dialog({ title: "Turn on the second factor" }, (close, goOn) =>
    form({
      fields: [passwordField()],
      label: "Continue",
      blame,
      cancel: () => close(),
      async submit(body) {
        const enrolment = await call("enrolSecondFactor", { body });
        goOn("Scan this with your app", scan(enrolment, close, goOn));
      },
    }),
  );
}

function scan({ secret, qr_svg: code }, close, goOn) {
  return [
    h(
      "div",
      { class: "enrolment" },
      // An image, not markup: whatever it held, nothing of it could run in this page.
      h("img", {
        class: "qr",
        src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(code)}`,
        alt: "QR code for your authenticator app",
        width: "184",
        height: "184",
      }),
      h(
        "div",
        {},
        h("p", {}, "Open an authenticator app and scan the code. Or type this secret into it:"),
        copyField("Secret", secret),
      ),
    ),
    form({
      fields: [codeField("The six digits that the app shows now.")],
      label: "Turn on",
      blame: () => "code",
      cancel: () => close(),
      async submit(body) {
        const { recovery_codes: codes } = await call("confirmSecondFactor", { body });
        notify("The second factor is on.");
        goOn("Your recovery codes", recoveryCodesOnce(codes, () => close(true)));
      },
    }),
  ];
}

function renew() {
  return dialog({ title: "New recovery codes" }, (close, goOn) => [
    h("div", { class: "dialog-text" }, h("p", {}, "The ones you have stop working.")),
    form({
      fields: [passwordField(), codeField("Of the app, or a recovery code.")],
      label: "Make new ones",
      blame,
      cancel: () => close(),
      async submit(body) {
        const { recovery_codes: codes } = await call("renewRecoveryCodes", { body });
        goOn("Your recovery codes", recoveryCodesOnce(codes, () => close(true)));
      },
    }),
  ]);
}

function remove() {
  return dialog({ title: "Turn off the second factor?" }, (close) => [
    h(
      "div",
      { class: "dialog-text" },
      h("p", {}, "From the next login on your password alone is enough."),
    ),
    form({
      fields: [passwordField(), codeField("Of the app, or a recovery code.")],
      label: "Turn off",
      tone: "danger",
      blame,
      cancel: () => close(),
      async submit(body) {
        await call("removeSecondFactor", { body });
        notify("The second factor is off.");
        close(true);
      },
    }),
  ]);
}
