// Which messages have been put back into the composer already. The server tells of the last one again with
// every reconnection, and its words must not be typed twice.

const KEPT = "chat:returned";
const MAX_KEPT = 50;

let done = read();

/** @returns {string[]} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  } catch {
    return []; // private mode, or rendered where there is no browser
  }
}

/**
 * Whether this message is to be put back; it is so once.
 *
 * @param {string | undefined} id
 */
export function isNew(id) {
  if (!id || done.includes(id)) return false;
  done = [...done, id].slice(-MAX_KEPT);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(done));
  } catch {
    // it is known as long as the page lives
  }
  return true;
}
