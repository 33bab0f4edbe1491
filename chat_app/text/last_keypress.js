// When the person last pressed a key. What moves by itself leaves the frame that shows a key to that key.

const FRAME_MS = 16;

let pressed = -Infinity;

if (typeof window !== "undefined")
  window.addEventListener("keydown", (event) => (pressed = event.timeStamp), {
    capture: true,
    passive: true,
  });

/**
 * Whether the frame that begins at `now` is the one in which a key is shown.
 *
 * @param {number} now
 */
export const showsKey = (now) => now - pressed < FRAME_MS;
