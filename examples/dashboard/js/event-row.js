/** An event of a security history as a row of a timeline. */

import { h, icon, named } from "./dom.js";
import { device, event, moment } from "./format.js";

export function eventRow(item) {
  const { title, isAlarming } = event(item);
  const about = item.details.prefix ? h("code", {}, `${item.details.prefix}…`) : null;
  const by = item.user_agent === "operator" ? "by the operator" : named(device(item.user_agent));
  return h(
    "li",
    { class: isAlarming ? "alarming" : "" },
    h("span", { class: "dot" }, icon(isAlarming ? "warning" : "check")),
    h(
      "div",
      { class: "grow" },
      h("p", { class: "title" }, h("strong", {}, title), about),
      h("p", { class: "meta" }, item.ip ? h("span", {}, item.ip) : null, h("span", {}, by)),
    ),
    h("time", { datetime: item.at }, moment(item.at)),
  );
}
