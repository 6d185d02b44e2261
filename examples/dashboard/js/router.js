/** Paths of this origin as views; links are ordinary links. */

let render = () => {};
let mayLeave = () => true;
let here = "";

/** `isFree()`: whether what is shown may be left by a link or by the browser's buttons. */
export function start(onPath, isFree) {
  mayLeave = isFree;
  render = () => {
    here = location.pathname + location.search;
    return onPath();
  };
  addEventListener("popstate", () => {
    if (mayLeave()) render();
    else history.pushState(null, "", here);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='/']");
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target) return;
    event.preventDefault();
    if (mayLeave()) navigate(link.getAttribute("href"));
  });
  return render();
}

export function navigate(path, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  return render();
}

/** A secret in the address's fragment, as links in mails have it; it leaves the address at once. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) history.replaceState(null, "", location.pathname);
  return token;
}
