/* What is wrong with how a page looks to eyes and to assistive technology; a list of words. */
(() => {
  const faults = [];
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const seen = (element) => {
    const { width, height } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return width > 0 && height > 0 && style.visibility === "visible" && style.opacity > 0;
  };
  const top = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  const all = [...top.querySelectorAll("*")].filter(seen);
  const say = (element, text) =>
    faults.push(`${text}: <${element.localName} class="${element.getAttribute("class") ?? ""}"> ${element.textContent.slice(0, 40)}`);

  // Widths: nothing goes beyond the window, nothing is cut.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) faults.push("the page scrolls sideways");
  for (const element of all) {
    if (element.closest("svg, .scroll, .said, .skip, .square > span, input")) continue;
    const { left, right } = element.getBoundingClientRect();
    if (left < -1 || right > width + 1) say(element, "outside the window");
    const isCut = element.scrollWidth > element.clientWidth + 1;
    const { overflowX, textOverflow, display } = getComputedStyle(element);
    if (isCut && overflowX !== "visible" && textOverflow !== "ellipsis" && display !== "inline")
      say(element, "cut");
  }

  // Names of what can be pressed or filled in.
  const nameOf = (element) =>
    (element.getAttribute("aria-label") ??
      [...(element.labels ?? [])].map((label) => label.textContent).join(" ")) ||
    element.textContent.trim();
  const controls = all.filter((one) => one.matches("button, a[href], input, select, textarea"));
  for (const control of controls) if (!nameOf(control)) say(control, "no name");
  const inLists = controls.filter((one) => one.matches("button") && one.closest("li"));
  const names = inLists.map(nameOf);
  for (const [index, name] of names.entries())
    if (names.indexOf(name) !== index) say(inLists[index], `"${name}" twice`);
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`id ${id} twice`);
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const attribute of ["aria-describedby", "aria-labelledby"])
      for (const id of (element.getAttribute(attribute) ?? "").split(" ").filter(Boolean))
        if (!ids.includes(id)) say(element, `${attribute} names no element`);

  // Contrast (WCAG 2.2, 1.4.3 and 1.4.11).
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(colour);
  };
  const groundOf = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgba(getComputedStyle(one).backgroundColor);
      if (colour[3] > 230) return colour;
    }
    return [255, 255, 255, 255];
  };
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  for (const element of all) {
    const hasText = [...element.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim(),
    );
    if (!hasText || element.closest("svg, option, :disabled, .said, .skip, .square > span")) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const found = contrast(rgba(style.color), groundOf(element));
    if (found < (isLarge ? 3 : 4.5)) say(element, `text of ${found.toFixed(2)}:1`);
  }
  const edged =
    'input:not([type="checkbox"], [type="radio"]), select, textarea, button.plain, .options label';
  for (const element of all.filter((one) => one.matches(edged) && !one.matches(":disabled"))) {
    const found = contrast(rgba(getComputedStyle(element).borderTopColor), groundOf(element.parentElement));
    if (found < 3) say(element, `border of ${found.toFixed(2)}:1`);
  }
  return faults;
})();
