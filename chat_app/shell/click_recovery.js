// Where a click was to lead. When the server has brought new pages, the script of a page that this tab has
// not loaded yet may be gone; the router then loads anew the page that was left. This takes the person to
// the one they clicked.

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
  remember(link.pathname + link.search + link.hash);
}

/** @param {string | null} to */
function remember(to) {
  try {
    if (to) sessionStorage.setItem(KEPT, JSON.stringify({ from: here(), to, at: Date.now() }));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // private mode: the person clicks again
  }
}

function goOn() {
  try {
    const { from, to, at } = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    remember(null);
    const [how] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    const reloaded = how?.type === "reload";
    if (to && reloaded && from === here() && to !== from && Date.now() - at < RECENT_MS) location.replace(to);
  } catch {
    // a damaged store
  }
}

if (typeof window !== "undefined") {
  goOn();
  window.addEventListener("click", note, { capture: true });
}
