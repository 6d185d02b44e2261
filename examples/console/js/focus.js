/**
 * Who uses the keyboard stays where they were: what a change replaces leaves the focus to what
 * stands in its place, by its name, or else to the page's heading.
 */

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent;

let last = null;

export function keepFocus(root) {
  root.addEventListener("focusin", ({ target }) => {
    last = target;
  });
  // The whole page: a dialog gives the focus back to what opened it, which may be gone.
  new MutationObserver(() => {
    if (last === null || last.isConnected || document.activeElement !== document.body) return;
    const name = nameOf(last);
    const main = root.querySelector("main");
    const successor = [...(main?.querySelectorAll("button, a") ?? [])].find((one) => nameOf(one) === name);
    const place = successor ?? main?.querySelector("h1");
    if (!place) return;
    place.focus({ preventScroll: successor === undefined });
  }).observe(document.body, { childList: true, subtree: true });
}
