/** Bars by day or month, stacked by series, with what a limit allows as a line: plain SVG. */

import { h, named, show, svg } from "./dom.js";
import { compact, number } from "./format.js";
import { scrolling } from "./parts.js";

const HEIGHT = 260;
const EDGE = { top: 18, right: 12, bottom: 28, left: 48 };
const GAP = 0.26;
const WIDEST_BAR = 44;

/**
 * `periods`: `{id, short, long}`, what stands below a bar and in full; `series`: `{label, keys, tone}`;
 * `rows`: `{period, key_id, amount}`; `line`: `{value, text}`, what each period may have, or null;
 * `what` is counted ("units"), `each` is what a period is called ("Day").
 */
export function usageChart({ periods, series, rows, line, what, each }) {
  const bars = stack(periods, series, rows);
  const tip = h("div", { class: "tip", role: "status", hidden: true });
  const picture = svg("svg", {
    class: "chart",
    tabindex: "0",
    role: "img",
    "aria-label": describe(bars, what, each),
    onkeydown: walk,
    onblur: () => select(-1),
    onpointerleave: () => select(-1),
  });
  const peak = Math.max(...bars.map(({ total }) => total), 1);
  // A limit far above what was used would flatten the bars: then it stays off the picture.
  const isLineShown = line !== null && line.value <= peak * 2.5;
  let groups = [];
  let selected = -1;
  let layout;

  function draw(width) {
    const ticks = niceTicks(Math.max(peak, isLineShown ? line.value : 0));
    const top = ticks.at(-1);
    const inner = {
      width: width - EDGE.left - EDGE.right,
      height: HEIGHT - EDGE.top - EDGE.bottom,
    };
    const step = inner.width / periods.length;
    const y = (value) => EDGE.top + inner.height * (1 - value / top);
    const x = (index) => EDGE.left + step * index;
    layout = { x, y, step };
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    groups = bars.map((one, index) => column(one, index, { left: x(index), step, y }));
    const every = Math.ceil(periods.length / Math.max(2, Math.floor(inner.width / 72)));
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
      periods.map(({ short }, index) =>
        index % every ? null : text(x(index) + step / 2, HEIGHT - 8, short, "middle"),
      ),
      isLineShown
        ? svg(
            "g",
            { class: "pace" },
            svg("line", {
              x1: EDGE.left,
              x2: width - EDGE.right,
              y1: y(line.value),
              y2: y(line.value),
            }),
          )
        : null,
    );
  }

  function column({ parts }, index, { left, step, y }) {
    let base = 0;
    const width = Math.min(step * (1 - GAP), WIDEST_BAR);
    const rects = parts.map(({ tone, amount }) => {
      const from = y(base);
      base += amount;
      const height = from - y(base);
      // Hairlines between the parts.
      return svg("rect", {
        class: `tone-${tone}`,
        x: left + (step - width) / 2,
        y: y(base),
        width,
        height: Math.max(height - 1, 0.75),
        rx: Math.min(2.5, step / 6),
      });
    });
    const area = svg("rect", {
      class: "area",
      x: left,
      y: EDGE.top,
      width: step,
      height: HEIGHT - EDGE.top - EDGE.bottom,
    });
    return svg("g", { class: "day", onpointerenter: () => select(index) }, area, rects);
  }

  function select(index) {
    groups[selected]?.classList.remove("selected");
    selected = index;
    tip.hidden = index < 0;
    if (index < 0) return;
    groups[index].classList.add("selected");
    const { long, total, parts } = bars[index];
    show(
      tip,
      h("strong", {}, long),
      h(
        "ul",
        {},
        parts
          .toReversed()
          .map(({ label, tone, amount }) =>
            h(
              "li",
              {},
              h("span", { class: `swatch tone-${tone}` }),
              named(label),
              h("b", {}, number(amount)),
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
    const start = selected < 0 ? (steps[event.key] > 0 ? -1 : periods.length) : selected;
    select(Math.min(periods.length - 1, Math.max(0, start + steps[event.key])));
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
      line
        ? h(
            "li",
            {},
            h("span", { class: "swatch line" }),
            `${line.text}${isLineShown ? "" : ", far above"}`,
          )
        : null,
    ),
    asTable(bars, series, each),
  );
}

function stack(periods, series, rows) {
  const amounts = new Map();
  for (const row of rows) {
    const place = `${row.period} ${row.key_id}`;
    amounts.set(place, (amounts.get(place) ?? 0) + row.amount);
  }
  return periods.map((period) => {
    const parts = series
      .map(({ label, tone, keys }) => ({
        label,
        tone,
        amount: keys.reduce((sum, key) => sum + (amounts.get(`${period.id} ${key}`) ?? 0), 0),
      }))
      .filter((part) => part.amount > 0);
    return { ...period, parts, total: parts.reduce((sum, part) => sum + part.amount, 0) };
  });
}

function describe(bars, what, each) {
  const total = bars.reduce((sum, one) => sum + one.total, 0);
  const peak = bars.reduce((best, one) => (one.total > best.total ? one : best));
  return `Bar chart: ${number(total)} ${what} in all, the most in ${peak.long}: ${number(peak.total)}. Arrow keys go from ${each.toLowerCase()} to ${each.toLowerCase()}.`;
}

function asTable(bars, series, each) {
  const used = bars.filter(({ total }) => total > 0);
  // By tone: two keys may have one name.
  const cell = ({ parts }, tone) => number(parts.find((part) => part.tone === tone)?.amount ?? 0);
  const columns = series.length > 1 ? series : [];
  const head = (text, right) => h("th", { scope: "col", class: right ? "right" : null }, text);
  return h(
    "details",
    {},
    h("summary", {}, "As a table"),
    scrolling(
      `By ${each.toLowerCase()}`,
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head(each),
            columns.map(({ label }) => head(named(label), true)),
            head("Total", true),
          ),
        ),
        h(
          "tbody",
          {},
          used.map((one) =>
            h(
              "tr",
              {},
              h("td", {}, one.long),
              columns.map(({ tone }) => h("td", { class: "right" }, cell(one, tone))),
              h("td", { class: "right" }, number(one.total)),
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
