"""A form of the dashboard as its visitor finds it: its fields, their options, what was chosen."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, expect

from tests.dashboard.hands import click, fill

# What can be filled in now, in the order of the page: name, kind of control, options, whether the
# first control of the name is seen, and whether it is empty and must not be.
_FIELDS = """
([form]) => {
  const found = new Map();
  for (const input of form.elements) {
    if (!input.name || input.disabled || input.readOnly) continue;
    const options = input.tagName === "SELECT"
      ? [...input.options].map((option) => option.value)
      : ["radio", "checkbox"].includes(input.type) ? [input.value] : [];
    const box = input.getBoundingClientRect();
    const isSeen = box.width * box.height > 0 && getComputedStyle(input).visibility === "visible";
    const isMissing = input.ariaRequired === "true" && !input.value;
    const field = found.get(input.name) ?? [input.name, input.type, [], isSeen, isMissing];
    field[2].push(...options);
    found.set(input.name, field);
  }
  return [...found.values()];
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


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    options: list[str]
    is_seen: bool = True
    is_missing: bool = False


def fields_of(form: Locator) -> list[Field]:
    """What can be filled in; each of them must be seen."""
    expect(form).to_be_visible()
    fields = [Field(*one) for one in form.evaluate_all(_FIELDS)]
    assert [field.name for field in fields if not field.is_seen] == []
    return fields


def values_of(form: Locator) -> dict[str, Any]:
    """What is chosen in it, by name; checkboxes are lists."""
    values: dict[str, Any] = form.evaluate_all(_VALUES)
    return values


def choose(form: Locator, field: Field, taken: set[tuple[str, str]], text: str) -> None:
    """Take an option that was not taken yet, and note it, or write the text, which is one.

    A field without a new option stays as it is, unless it is empty and must not be.
    """
    inputs = form.locator(f"[name={field.name}]")
    options = field.options or [""]
    fresh = [option for option in options if (field.name, option) not in taken]
    if not fresh and not field.is_missing:
        return
    option = (fresh or options)[0]
    taken.add((field.name, option))
    if not field.options:
        fill(inputs, text)
        return
    if field.kind == "select-one":
        inputs.select_option(option)
    else:
        for value in [option] if field.kind == "radio" else field.options:
            box = form.locator(f"[name={field.name}][value='{value}']")
            if box.is_checked() != (value == option):
                click(box)
