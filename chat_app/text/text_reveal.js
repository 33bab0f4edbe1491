// The text of one run: the part that has arrived, and how much of it is shown.
//
// Offsets count UTF-16 code units, JavaScript's own measure of a string; the server converts
// (chat_app/plain_text.py). Merging is by offset, so a piece that comes twice changes nothing and a piece
// that comes too early is refused: the owner then asks to be sent again what follows `have`.

const BACKLOG_MS = 250; // whatever has arrived is shown within about this long

export class Reveal {
  /** @param {string} run */
  constructor(run) {
    this.run = run;
    this.text = "";
    this.shown = 0;
  }

  get have() {
    return this.text.length;
  }

  get pending() {
    return this.text.length - this.shown;
  }

  /**
   * Add `chunk`, which stands at `offset`. False if something before it is missing.
   *
   * @param {number} offset
   * @param {string} chunk
   */
  merge(offset, chunk) {
    if (offset > this.text.length) return false;
    this.text += chunk.slice(this.text.length - offset);
    return true;
  }

  /**
   * Take `text` as the whole and final text. False if it is not how the text shown so far goes on.
   *
   * @param {string} text
   */
  settle(text) {
    if (!text.startsWith(this.text.slice(0, this.shown))) return false;
    this.text = text;
    return true;
  }

  showAll() {
    this.shown = this.text.length;
  }

  /**
   * Show as much more as `ms` milliseconds allow: the backlog drains evenly, never by less than a character.
   *
   * @param {number} ms
   */
  advance(ms) {
    const step = Math.max(1, Math.ceil((this.pending * Math.min(ms, 100)) / BACKLOG_MS));
    this.shown = wholeCharacters(this.text, Math.min(this.text.length, this.shown + step));
  }
}

/**
 * Move `end` on until it does not stand inside a surrogate pair, a joined emoji or an accent.
 *
 * @param {string} text
 * @param {number} end
 */
export function wholeCharacters(text, end) {
  while (
    end < text.length &&
    end > 0 &&
    (isTrailing(text.charCodeAt(end)) || text.charCodeAt(end - 1) === 0x200d)
  )
    end += 1;
  return end;
}

/** @param {number} unit */
function isTrailing(unit) {
  return (
    (unit >= 0xdc00 && unit <= 0xdfff) || // the second half of a surrogate pair
    unit === 0x200d || // zero-width joiner
    (unit >= 0xfe00 && unit <= 0xfe0f) || // variation selectors
    (unit >= 0x0300 && unit <= 0x036f) // combining accents
  );
}
