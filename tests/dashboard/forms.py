"""A form of the dashboard as its visitor fills it in: what they choose, and what it then holds."""

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Locator, expect

# Each field that can be filled in, in the order of the page; a choice may bring up others, or take
# some away. All in one go: between two calls the browser would draw the page anew.
_FILL_IN = """
([form], [taken, texts, fixed]) => {
  const done = new Set(), options = [];
  const wasTaken = ([name, value]) => taken.some((one) => one[0] === name && one[1] === value);
  const open = () => [...form.elements].filter(
    (one) => one.name && !one.disabled && !one.readOnly && !done.has(one.name),
  );
  const tell = (input) => {
    for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
  };
  const write = (input, text) => {
    input.focus();
    input.select();
    document.execCommand("insertText", false, text);
    if (input.type === "datetime-local") {
      input.value = text;
      tell(input);
    }
    if (document.activeElement !== input || input.value !== text)
      throw new Error(`${input.name} cannot be filled in`);
  };
  const press = (input) => {
    input.scrollIntoView({ block: "nearest" });
    const { x, y, width, height } = input.getBoundingClientRect();
    if (document.elementFromPoint(x + width / 2, y + height / 2) !== input)
      throw new Error(`${input.name} cannot be pressed`);
    input.click();
  };
  for (let [input] = open(); input; [input] = open()) {
    const { name, type } = input;
    const { width, height } = input.getBoundingClientRect();
    if (!(width && height && input.checkVisibility({ visibilityProperty: true })))
      throw new Error(`${name} is not seen`);
    const boxes = open().filter((one) => one.name === name);
    const isSelect = type === "select-one", isBox = ["radio", "checkbox"].includes(type);
    const offered = (isSelect ? [...input.options] : isBox ? boxes : []).map(({ value }) => value);
    options.push(...offered.map((value) => [name, value]));
    const own = name in fixed ? [fixed[name]] : isSelect || isBox ? offered : [""];
    const fresh = own.filter((value) => !wasTaken([name, value]));
    done.add(name);
    // Without a new option it stays as it is, unless it is empty and must not be.
    const isMissing = name in fixed || (input.ariaRequired === "true" && !input.value);
    if (!fresh.length && !isMissing) continue;
    const [value] = fresh.length ? fresh : own;
    taken.push([name, value]);
    if (isSelect) {
      input.value = value;
      tell(input);
    } else if (isBox)
      for (const box of type === "radio" ? boxes.filter((one) => one.value === value) : boxes) {
        if (box.checked !== (box.value === value)) press(box);
      }
    else write(input, texts[name] ?? "");
  }
  return [taken, options];
}
"""
_VALUES = """
([form]) => {
  const values = {};
  for (const input of form.elements) {
    if (!input.name || input.disabled) continue;
    if (input.type === "checkbox") {
      values[input.name] ??= [];
      if (input.checked) values[input.name].push(input.value);
    } else if (input.type !== "radio" || input.checked) values[input.name] = input.value;
  }
  return values;
}
"""


def fill_in(
    form: Locator, taken: set[tuple[str, str]], texts: Mapping[str, str], fixed: Mapping[str, str]
) -> set[tuple[str, str]]:
    """Take an option of each field that is not in `taken`, and note it there, or write its text.

    Returns all options there are, by name; a field of `fixed` takes the one that it has there.
    """
    expect(form).to_be_visible()
    now_taken, options = form.evaluate_all(_FILL_IN, [sorted(taken), texts, fixed])
    taken.update(map(tuple, now_taken))
    return set(map(tuple, options))


def values_of(form: Locator) -> dict[str, Any]:
    """What is chosen in it, by name; checkboxes are lists."""
    values: dict[str, Any] = form.evaluate_all(_VALUES)
    return values
