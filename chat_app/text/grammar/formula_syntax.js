// Formulas as micromark constructs: $x$, $$x$$, \(x\) and \[x\] in a paragraph, and blocks of lines between $$ or \[
// and their closers. https://github.com/micromark/micromark#extending-markdown

import { isFormula, readFormula, takesSuffix } from "./formulas.js";

/** @import { Code, Effects, State, Token, TokenizeContext } from "micromark-util-types" */
/** @import { CompileContext } from "mdast-util-from-markdown" */
/** @typedef {TokenizeContext & { endless?: Record<string, number> }} Context */

const DOLLAR = 36;
const TICK = 96;
const SLASH = 92;
/** @type {Record<number, number>} */
const CLOSE = { 40: 41, 91: 93 };

/** @param {Code} code */
const isEnd = (code) => code === null || code < -2; // end of the text or of a line: CR, LF or both
/** @param {Code} code */
const isWord = (code) => code !== null && /\w/.test(charOf(code));
/** @param {Code} code */
const charOf = (code) => (code === null ? "" : code < -2 ? "\n" : code < 0 ? " " : String.fromCharCode(code));

/** Writer of tokens, none of which spans lines, as micromark requires. */
class Writer {
  #isOpen = false;
  /** @param {Effects} effects */
  constructor(effects) {
    this.effects = effects;
  }
  /** @param {Code} code */
  take(code) {
    if (code !== null && code < -2) {
      this.close();
      this.effects.enter("lineEnding");
      this.effects.consume(code);
      this.effects.exit("lineEnding");
      return;
    }
    if (!this.#isOpen) this.effects.enter("formulaData");
    this.#isOpen = true;
    this.effects.consume(code);
  }
  close() {
    if (this.#isOpen) this.effects.exit("formulaData");
    this.#isOpen = false;
  }
}

/** Formula within a paragraph. An opener without a closer is remembered, so that the search is not repeated. */
class Inline {
  /**
   * @param {Context} context
   * @param {Effects} effects
   * @param {State} ok
   * @param {State} nok
   */
  constructor(context, effects, ok, nok) {
    this.context = context;
    this.effects = effects;
    this.ok = ok;
    this.nok = nok;
    this.from = context.now().offset;
    this.writer = new Writer(effects);
    this.opener = "";
    this.content = "";
  }
  /** @type {State} */
  start = (code) => {
    this.effects.enter("formula");
    this.opener = charOf(code);
    this.writer.take(code);
    return this.opening;
  };
  /** @type {State} */
  opening = (code) => {
    this.close = this.opener === "$" ? DOLLAR : CLOSE[code ?? -1];
    if (!this.close) return this.nok(code);
    if (this.opener === "$" && code !== DOLLAR) return this.inside(code);
    this.opener += charOf(code);
    if (this.from < (this.context.endless?.[this.opener] ?? 0)) return this.nok(code);
    this.writer.take(code);
    return this.inside;
  };
  /** @type {State} */
  inside = (code) => {
    if (code === null || code === TICK || (this.opener === "$" && isEnd(code))) return this.fail(code);
    const mark = this.close === DOLLAR ? DOLLAR : SLASH;
    const next = code === mark ? this.closing : code === SLASH ? this.escaped : this.inside;
    return code === mark && this.opener === "$" ? this.take(code, this.closed) : this.take(code, next);
  };
  /**
   * @param {Code} code
   * @param {State} next
   */
  take(code, next) {
    this.content += charOf(code);
    this.writer.take(code);
    return next;
  }
  /** @param {Code} code */
  fail(code) {
    if (this.opener !== "$") (this.context.endless ??= {})[this.opener] = this.context.now().offset;
    return this.nok(code);
  }
  /** @type {State} */
  escaped = (code) => (isEnd(code) || code === TICK ? this.inside(code) : this.take(code, this.inside));
  /** @type {State} */
  closing = (code) => {
    if (code === this.close) return this.take(code, this.closed);
    return this.close === DOLLAR ? this.nok(code) : this.escaped(code);
  };
  /** @type {State} */
  closed = (code) => {
    this.writer.close();
    const content = this.content.slice(0, this.opener.length === 1 ? -1 : -2);
    if (!isFormula(this.opener, content, charOf(code))) return this.nok(code);
    if (this.opener === "$" && isWord(code)) {
      return takesSuffix(content)
        ? this.effects.check({ partial: true, tokenize: ordinal }, this.suffix, this.nok)(code)
        : this.nok(code);
    }
    return this.suffix(code);
  };
  /** @type {State} */
  suffix = (code) => {
    this.effects.exit("formula");
    return this.ok(code);
  };
}

/**
 * Tokenize the suffix of a word such as $n$th or $k$s.
 *
 * @param {Effects} effects
 * @param {State} ok
 * @param {State} nok
 * @returns {State}
 */
function ordinal(effects, ok, nok) {
  let word = "";
  /** @type {State} */
  const letters = (code) => {
    if (!isWord(code))
      return (effects.exit("ordinal"), /^(?:th|st|nd|rd|s)$/.test(word) ? ok(code) : nok(code));
    word += charOf(code);
    effects.consume(code);
    return word.length > 3 ? nok : letters;
  };
  return (code) => (effects.enter("ordinal"), letters(code));
}

/** @type {import("micromark-util-types").Construct} */
const inline = {
  name: "formula",
  tokenize(effects, ok, nok) {
    return new Inline(this, effects, ok, nok).start;
  },
};
/** @type {import("micromark-util-types").Construct} */
const dollars = { ...inline, previous: (code) => code !== DOLLAR && code !== SLASH && !isWord(code) };

/** Formula block: like a code fence, up to a line that ends with the closer, or a blank line if its first has text. */
class Block {
  /**
   * @param {Context} context
   * @param {Effects} effects
   * @param {State} ok
   * @param {State} nok
   * @param {Pick<import("./formulas.js").Closers, "isClosed">} closers
   */
  constructor(context, effects, ok, nok, closers) {
    this.context = context;
    this.effects = effects;
    this.ok = ok;
    this.nok = nok;
    this.closers = closers;
    this.writer = new Writer(effects);
    this.raw = "";
    this.line = "";
    this.begun = "";
    this.at = 0; // its first line
    this.opener = this.closer = "";
  }
  /** @type {State} */
  start = (code) => {
    this.at = this.context.now().line;
    this.effects.enter("formulaBlock");
    this.writer.take(code);
    this.opener = charOf(code);
    return this.opening;
  };
  /** @type {State} */
  opening = (code) => {
    if (code !== (this.opener === "$" ? DOLLAR : 91)) return this.nok(code);
    this.closer = this.opener === "$" ? "$$" : "\\]";
    this.writer.take(code);
    return this.head;
  };
  /** Read the rest of the first line: empty, or the start of a formula without its end. @type {State} */
  head = (code) => {
    if (!isEnd(code)) return this.take(code, this.head);
    this.begun = this.line.trim();
    const begins = !this.begun || (/\\[A-Za-z]|[\^_=]/.test(this.begun) && !this.begun.includes(this.closer));
    return begins && this.closers.isClosed(this.at, this.closer, Boolean(this.begun))
      ? this.end(code)
      : this.nok(code);
  };
  /**
   * @param {Code} code
   * @param {State} next
   */
  take(code, next) {
    this.line += charOf(code);
    this.writer.take(code);
    return next;
  }
  /** @type {State} */
  inside = (code) => {
    return isEnd(code) ? this.end(code) : this.take(code, this.inside);
  };
  /** @param {Code} code */
  end(code) {
    const line = this.line.trim();
    const ended = this.raw && (line.replace(/[.,;:!]$/, "").endsWith(this.closer) || (this.begun && !line));
    this.raw += `${line}\n`;
    if (ended || code === null) return this.done(code);
    const { context } = this;
    /** @type {import("micromark-util-types").Construct} */
    const nonLazy = {
      partial: true,
      tokenize: (effects, ok, nok) =>
        followed(effects, (next) => (context.parser.lazy[context.now().line] ? nok : ok)(next)),
    };
    this.writer.close();
    return this.effects.check(nonLazy, this.next, this.done)(code);
  }
  /** @type {State} */
  next = (code) => {
    this.line = "";
    this.writer.take(code);
    return this.inside;
  };
  /** @type {State} */
  done = (code) => {
    this.writer.close();
    this.effects.exit("formulaBlock");
    return this.ok(code);
  };
}

/** @type {(effects: Effects, then: State) => State} */
const followed = (effects, then) => (code) => {
  new Writer(effects).take(code);
  return then;
};

/**
 * Return the extension; `closers` tells whether a block that begins in a line has an end.
 *
 * @param {Pick<import("./formulas.js").Closers, "isClosed">} closers
 */
export function formulaSyntax(closers) {
  /** @type {import("micromark-util-types").Construct} */
  const block = {
    name: "formulaBlock",
    concrete: true,
    tokenize(effects, ok, nok) {
      return new Block(this, effects, ok, nok, closers).start;
    },
  };
  return { text: { [DOLLAR]: dollars, [SLASH]: inline }, flow: { [DOLLAR]: block, [SLASH]: block } };
}

/**
 * @this {CompileContext}
 * @param {Token} token
 */
function enterFormula(token) {
  const node = /** @type {any} */ ({ type: token.type, ...readFormula(this.sliceSerialize(token)) });
  this.enter(node, token);
}
/**
 * @this {CompileContext}
 * @param {Token} token
 */
function exitFormula(token) {
  this.exit(token);
}

/** The mdast extension; its nodes are { type: "formula" | "formulaBlock", value, display, closed, raw }. */
export const formulaNodes = {
  enter: { formula: enterFormula, formulaBlock: enterFormula },
  exit: { formula: exitFormula, formulaBlock: exitFormula },
};
