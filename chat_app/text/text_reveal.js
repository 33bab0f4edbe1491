// The text of one run: the part that has arrived, and how much of it is shown.
//
// Offsets count UTF-16 code units, as JavaScript strings do; the server converts them (chat_app/plain_text.py). Chunks
// are merged by offset, so a duplicate changes nothing and a chunk after a gap is refused: the caller then requests
// everything after `received` again.

const BACKLOG_MS = 250; // whatever has arrived is shown within about this time

export class Reveal {
  /** @param {string} run */
  constructor(run) {
    this.run = run;
    this.text = "";
    this.shown = 0;
  }

  get received() {
    return this.text.length;
  }

  get pending() {
    return this.text.length - this.shown;
  }

  /**
   * Add `chunk`, which starts at `offset`; return false if text before it is missing.
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
   * Accept `text` as the complete text; return false if it does not continue the text shown so far.
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
   * Reveal as much as is due after `ms` milliseconds: the backlog drains evenly, by at least one character.
   *
   * @param {number} ms
   */
  advance(ms) {
    const step = Math.max(1, Math.ceil((this.pending * Math.min(ms, 100)) / BACKLOG_MS));
    this.shown = wholeCharacters(this.text, Math.min(this.text.length, this.shown + step));
  }
}

/**
 * Move `end` forward until it splits no surrogate pair, joined emoji or accented letter.
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
