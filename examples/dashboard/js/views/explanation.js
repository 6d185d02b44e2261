/** An answer that refused a request, pasted by who does not understand it, in people's words. */

import { h, show } from "../dom.js";
import { field, form } from "../form.js";
import { readAnswer } from "../limits.js";
import { banner, card } from "../parts.js";
import { explainAnswer } from "../words.js";

/** A box that is opened when it is needed. */
export function refusedRequest() {
  const words = h("div", { role: "status" });
  const asked = form({
    fields: [
      field({
        name: "answer",
        label: "The answer of the API",
        type: "textarea",
        rows: "4",
        class: "code",
        dir: "ltr",
        spellcheck: "false",
        hint: "As your program or your terminal shows it, with its head or without. It stays in this window.",
        missing: "Paste the answer",
        check: (text) =>
          readAnswer(text) ? null : 'No answer of the API: it has {"error": {"code": …}} in it',
      }),
    ],
    label: "Explain it",
    tone: "plain",
    submit({ answer }) {
      show(words, banner("note", h("p", {}, explainAnswer(readAnswer(answer)))));
    },
  });
  return card(
    {},
    h("details", { class: "refused" }, h("summary", {}, "A request was refused?"), asked, words),
  );
}
