/** Bars by day, stacked by series, with the even pace of the quota as a line: plain SVG. */

import { h, named, show, svg } from "./dom.js";
import { compact, number, utcDay } from "./format.js";
import { scrolling } from "./parts.js";

const HEIGHT = 260;
const EDGE = { top: 18, right: 12, bottom: 28, left: 48 };
const GAP = 0.26;

/**
 * `days`: "2026-01-31"…; `series`: `{label, keys, tone}`; `rows`: `{day, key_id, units}`;
 * `pace`: units a day that would just use up the quota; null without one.
 */
export function usageChart({ days, series, rows, pace }) {
  const byDay = stack(days, series, rows);
  const tip = h("div", { class: "tip", role: "status", hidden: true });
  const picture = svg("svg", {
    class: "chart",
    tabindex: "0",
    role: "img",
    "aria-label": describe(byDay),
    onkeydown: walk,
    onblur: () => select(-1),
    onpointerleave: () => select(-1),
  });
  const peak = Math.max(...byDay.map(({ total }) => total), 1);
  // A quota far above what was used would flatten the bars: then it stays off the picture.
  const isPaceShown = pace !== null && pace <= peak * 2.5;
  let groups = [];
  let selected = -1;
  let layout;

  function draw(width) {
    const ticks = niceTicks(Math.max(peak, isPaceShown ? pace : 0));
    const top = ticks.at(-1);
    const inner = {
      width: width - EDGE.left - EDGE.right,
      height: HEIGHT - EDGE.top - EDGE.bottom,
    };
    const step = inner.width / days.length;
    const y = (value) => EDGE.top + inner.height * (1 - value / top);
    const x = (index) => EDGE.left + step * index;
    layout = { x, y, step };
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    groups = byDay.map((day, index) => column(day, x(index), step, y));
    const every = Math.ceil(days.length / Math.max(2, Math.floor(inner.width / 72)));
    show(
      picture,
      ticks.map((value) =>
        svg(
          "g",
          { class: "grid" },
          svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
          text(EDGE.left - 8, y(value) + 4, compact(value), "end"),
        ),
      ),
      groups,
      days.map((day, index) =>
        index % every ? null : text(x(index) + step / 2, HEIGHT - 8, utcDay(day), "middle"),
      ),
      isPaceShown
        ? svg(
            "g",
            { class: "pace" },
            svg("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(pace), y2: y(pace) }),
          )
        : null,
    );
  }

  function column(day, left, step, y) {
    let base = 0;
    const bars = day.parts.map(({ tone, units }) => {
      const from = y(base);
      base += units;
      const height = from - y(base);
      // Hairlines between the parts.
      return svg("rect", {
        class: `tone-${tone}`,
        x: left + (step * GAP) / 2,
        y: y(base),
        width: step * (1 - GAP),
        height: Math.max(height - 1, 0.75),
        rx: Math.min(2.5, step / 6),
      });
    });
    const index = days.indexOf(day.day);
    const area = svg("rect", {
      class: "area",
      x: left,
      y: EDGE.top,
      width: step,
      height: HEIGHT - EDGE.top - EDGE.bottom,
    });
    return svg("g", { class: "day", onpointerenter: () => select(index) }, area, bars);
  }

  function select(index) {
    groups[selected]?.classList.remove("selected");
    selected = index;
    tip.hidden = index < 0;
    if (index < 0) return;
    groups[index].classList.add("selected");
    const { day, total, parts } = byDay[index];
    show(
      tip,
      h("strong", {}, utcDay(day)),
      h(
        "ul",
        {},
        parts
          .toReversed()
          .map(({ label, tone, units }) =>
            h(
              "li",
              {},
              h("span", { class: `swatch tone-${tone}` }),
              named(label),
              h("b", {}, number(units)),
            ),
          ),
      ),
      h("p", {}, "Total", h("b", {}, number(total))),
    );
    const scale = picture.clientWidth / Number(picture.getAttribute("viewBox").split(" ")[2]);
    const centre = (layout.x(index) + layout.step / 2) * scale;
    const isRight = centre > picture.clientWidth / 2;
    tip.style.insetInlineStart = isRight ? "auto" : `${centre + 14}px`;
    tip.style.insetInlineEnd = isRight ? `${picture.clientWidth - centre + 14}px` : "auto";
  }

  function walk(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.key === "Escape") select(-1);
    if (!(event.key in steps)) return;
    event.preventDefault();
    const start = selected < 0 ? (steps[event.key] > 0 ? -1 : days.length) : selected;
    select(Math.min(days.length - 1, Math.max(0, start + steps[event.key])));
  }

  const frame = h("div", { class: "chart-frame" }, picture, tip);
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width > 0) draw(contentRect.width);
  }).observe(frame);
  return h(
    "div",
    {},
    frame,
    h(
      "ul",
      { class: "legend" },
      series.map(({ label, tone }) =>
        h("li", {}, h("span", { class: `swatch tone-${tone}` }), named(label)),
      ),
      pace === null
        ? null
        : h(
            "li",
            {},
            h("span", { class: "swatch line" }),
            `Quota, spread evenly: ${compact(Math.round(pace))} a day${isPaceShown ? "" : ", far above"}`,
          ),
    ),
    asTable(byDay, series),
  );
}

function stack(days, series, rows) {
  const units = new Map();
  for (const row of rows) {
    const place = `${row.day} ${row.key_id}`;
    units.set(place, (units.get(place) ?? 0) + row.units);
  }
  return days.map((day) => {
    const parts = series
      .map(({ label, tone, keys }) => ({
        label,
        tone,
        units: keys.reduce((sum, key) => sum + (units.get(`${day} ${key}`) ?? 0), 0),
      }))
      .filter((part) => part.units > 0);
    return { day, parts, total: parts.reduce((sum, part) => sum + part.units, 0) };
  });
}

function describe(byDay) {
  const total = byDay.reduce((sum, day) => sum + day.total, 0);
  const peak = byDay.reduce((best, day) => (day.total > best.total ? day : best));
  return `Bar chart: ${number(total)} units in all, the most on ${utcDay(peak.day)}: ${number(peak.total)}. Arrow keys go from day to day.`;
}

function asTable(byDay, series) {
  const used = byDay.filter((day) => day.total > 0);
  // By tone: two keys may have one name.
  const cell = (day, tone) => number(day.parts.find((part) => part.tone === tone)?.units ?? 0);
  return h(
    "details",
    {},
    h("summary", {}, "As a table"),
    scrolling(
      "By day",
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Day"),
            series.map(({ label }) => h("th", { scope: "col", class: "right" }, named(label))),
            h("th", { scope: "col", class: "right" }, "Total"),
          ),
        ),
        h(
          "tbody",
          {},
          used.map((day) =>
            h(
              "tr",
              {},
              h("td", {}, utcDay(day.day)),
              series.map(({ tone }) => h("td", { class: "right" }, cell(day, tone))),
              h("td", { class: "right" }, number(day.total)),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Three to six round numbers from 0 to above the largest value. */
function niceTicks(largest) {
  const rough = largest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power);
  const ticks = [0];
  while (ticks.at(-1) < largest) ticks.push(ticks.at(-1) + step);
  return ticks;
}

function text(x, y, content, anchor) {
  return svg("text", { x, y, "text-anchor": anchor }, content);
}
