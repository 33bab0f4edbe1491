// Completes a click on a link that a new version of the pages has interrupted: the script of a page that this tab has
// not loaded yet may be gone, and the router then reloads the page that was left instead of the one that was clicked.

import { readValue, store } from "../ui/browser.js";

const KEPT = "chat:going";
const RECENT_MS = 10_000;

const here = () => location.pathname + location.search + location.hash;

/** @param {MouseEvent} event */
function note(event) {
  const target = /** @type {Element} */ (event.target);
  const link = /** @type {HTMLAnchorElement | null} */ (target.closest?.("a[href]"));
  if (
    !link ||
    link.target ||
    link.origin !== location.origin ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const to = link.pathname + link.search + link.hash;
  store("sessionStorage", KEPT, JSON.stringify({ from: here(), to, at: Date.now() }));
}

function goOn() {
  const { from, to, at } = readValue("sessionStorage", KEPT, { from: "", to: "", at: 0 });
  store("sessionStorage", KEPT, "");
  const [how] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  const reloaded = how?.type === "reload";
  if (to && reloaded && from === here() && to !== from && Date.now() - at < RECENT_MS) location.replace(to);
}

if (typeof window !== "undefined") {
  goOn();
  window.addEventListener("click", note, { capture: true });
}
