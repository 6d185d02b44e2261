"""What a visitor's hands do in a page, at once: a mouse would wait for pictures of it."""

from playwright.sync_api import Locator, expect

PATIENCE_SECONDS = 20
expect.set_options(timeout=PATIENCE_SECONDS * 1000)

# What a mouse finds in the end: the element is seen, nothing lies upon it, and it can be
# used. The mouse itself would wait for pictures of the page, which take longer than all else.
_PRESS = """
async ([element, ...others], patience) => {
  if (!element || others.length) return false;
  const isFound = () => {
    element.scrollIntoView({ block: "nearest", inline: "nearest" });
    const [box] = element.getClientRects();
    if (!box || element.matches(":disabled")) return false;
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return element.contains(top);
  };
  const end = performance.now() + patience;
  while (!isFound()) {
    if (!element.isConnected) return false;
    if (performance.now() > end) throw new Error("it cannot be pressed");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  element.focus({ preventScroll: true });
  element.click();
  return true;
}
"""

# Text goes in as it does from a keyboard; false where the field cannot be filled in so, or not yet.
_FILL = """
([field, ...others], value) => {
  if (!field || others.length || field.matches(":disabled, :read-only:not(select)")) return false;
  field.focus();
  if (document.activeElement !== field || !field.checkVisibility({ visibilityProperty: true }))
    return false;
  if (field.localName === "select") {
    const index = [...field.options].findIndex((one) => one.label === value && !one.disabled);
    if (index < 0) return false;
    field.selectedIndex = index;
    for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    return true;
  }
  field.select();
  document.execCommand(value ? "insertText" : "delete", false, value);
  return field.value === value;
}
"""


def click(target: Locator) -> None:
    """Click something, once it can be, without a mouse; the walks have one."""
    # What is not there yet, or is drawn anew meanwhile, is waited for; more than one is a fault.
    while not target.evaluate_all(_PRESS, PATIENCE_SECONDS * 1000):
        target.wait_for(state="attached")


def fill(field: Locator, value: str) -> None:
    """Fill in a field, or choose the option of this label."""
    if not field.evaluate_all(_FILL, value):
        fill_slowly(field, value)


def fill_slowly(field: Locator, value: str) -> None:
    """Do so as soon as the browser holds that somebody could."""
    if field.evaluate("element => element.tagName") == "SELECT":
        field.select_option(label=value)
    else:
        field.fill(value)
