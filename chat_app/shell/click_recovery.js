// Completes a click on a link that a deployment has interrupted: the script of a page that this tab has not loaded yet
// may be gone, and the router then reloads the current page instead of opening the clicked one.

import { readValue, store } from "../ui/browser.js";

const CLICK = "chat:going";
const RECENT_MS = 10_000;

const currentPath = () => location.pathname + location.search + location.hash;

/** @param {MouseEvent} event */
function rememberClick(event) {
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
  store("sessionStorage", CLICK, JSON.stringify({ from: currentPath(), to, at: Date.now() }));
}

function completeClick() {
  const { from, to, at } = readValue("sessionStorage", CLICK, { from: "", to: "", at: 0 });
  store("sessionStorage", CLICK, "");
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (
    performance.getEntriesByType("navigation")
  );
  const reloaded = navigation?.type === "reload";
  if (to && reloaded && from === currentPath() && to !== from && Date.now() - at < RECENT_MS)
    location.replace(to);
}

if (typeof window !== "undefined") {
  completeClick();
  window.addEventListener("click", rememberClick, { capture: true });
}
