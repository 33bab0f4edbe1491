// Formulas as micromark constructs: $x$, $$x$$, \(x\) and \[x\] in a paragraph, and blocks of lines
// between $$ or \[ and their counterpart. https://github.com/micromark/micromark#extending-markdown

import { isFormula, readFormula, takesSuffix } from "./formulas.js";

const DOLLAR = 36;
const TICK = 96;
const SLASH = 92;
const CLOSE = { 40: 41, 91: 93 };

const isEnd = (code) => code === null || code < -2; // of the text, or of a line: CR, LF or both
const isWord = (code) => code !== null && /\w/.test(charOf(code));
const charOf = (code) => (code === null ? "" : code < -2 ? "\n" : code < 0 ? " " : String.fromCharCode(code));

/** Consumes characters into tokens that end with their line, as micromark wants them. */
class Writer {
  #isOpen = false;
  constructor(effects) {
    this.effects = effects;
  }
  take(code) {
    if (code < -2) {
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

/** One formula within a paragraph; what has no end there is not looked for again from further on. */
class Inline {
  constructor(context, effects, ok, nok) {
    Object.assign(this, {
      context,
      effects,
      ok,
      nok,
      from: context.now().offset,
      writer: new Writer(effects),
      opener: "",
      content: "",
    });
    for (const name of ["start", "opening", "inside", "escaped", "closing", "closed", "suffix"])
      this[name] = this[name].bind(this);
  }
  start(code) {
    this.effects.enter("formula");
    this.opener = charOf(code);
    this.writer.take(code);
    return this.opening;
  }
  opening(code) {
    this.close = this.opener === "$" ? DOLLAR : CLOSE[code];
    if (!this.close) return this.nok(code);
    if (this.opener === "$" && code !== DOLLAR) return this.inside(code);
    this.opener += charOf(code);
    if (this.from < (this.context.endless?.[this.opener] ?? 0)) return this.nok(code);
    this.writer.take(code);
    return this.inside;
  }
  inside(code) {
    if (code === null || code === TICK || (this.opener === "$" && isEnd(code))) return this.fail(code);
    const mark = this.close === DOLLAR ? DOLLAR : SLASH;
    const next = code === mark ? this.closing : code === SLASH ? this.escaped : this.inside;
    return code === mark && this.opener === "$" ? this.take(code, this.closed) : this.take(code, next);
  }
  take(code, next) {
    this.content += charOf(code);
    this.writer.take(code);
    return next;
  }
  fail(code) {
    if (this.opener !== "$") (this.context.endless ??= {})[this.opener] = this.context.now().offset;
    return this.nok(code);
  }
  escaped(code) {
    return isEnd(code) || code === TICK ? this.inside(code) : this.take(code, this.inside);
  }
  closing(code) {
    if (code === this.close) return this.take(code, this.closed);
    return this.close === DOLLAR ? this.nok(code) : this.escaped(code);
  }
  closed(code) {
    this.writer.close();
    const content = this.content.slice(0, this.opener.length === 1 ? -1 : -2);
    if (!isFormula(this.opener, content, charOf(code))) return this.nok(code);
    if (this.opener === "$" && isWord(code)) {
      return takesSuffix(content)
        ? this.effects.check({ partial: true, tokenize: ordinal }, this.suffix, this.nok)(code)
        : this.nok(code);
    }
    return this.suffix(code);
  }
  suffix(code) {
    this.effects.exit("formula");
    return this.ok(code);
  }
}

/** The end of a word such as the $n$th, $k$s. */
function ordinal(effects, ok, nok) {
  let word = "";
  const letters = (code) => {
    if (!isWord(code))
      return (effects.exit("ordinal"), /^(?:th|st|nd|rd|s)$/.test(word) ? ok(code) : nok(code));
    word += charOf(code);
    effects.consume(code);
    return word.length > 3 ? nok : letters;
  };
  return (code) => (effects.enter("ordinal"), letters(code));
}

const inline = {
  name: "formula",
  tokenize(effects, ok, nok) {
    return new Inline(this, effects, ok, nok).start;
  },
};
const dollars = { ...inline, previous: (code) => code !== DOLLAR && code !== SLASH && !isWord(code) };

/** A block: like a code fence, up to a line that ends with the counterpart; begun within a line, also to a blank one. */
class Block {
  constructor(context, effects, ok, nok, closers) {
    Object.assign(this, {
      context,
      effects,
      ok,
      nok,
      closers,
      writer: new Writer(effects),
      raw: "",
      line: "",
      begun: "",
    });
    for (const name of ["start", "opening", "head", "inside", "next", "done"])
      this[name] = this[name].bind(this);
  }
  start(code) {
    this.at = this.context.now().line;
    this.effects.enter("formulaBlock");
    this.writer.take(code);
    this.opener = charOf(code);
    return this.opening;
  }
  opening(code) {
    if (code !== (this.opener === "$" ? DOLLAR : 91)) return this.nok(code);
    this.closer = this.opener === "$" ? "$$" : "\\]";
    this.writer.take(code);
    return this.head;
  }
  /** The rest of the first line: nothing, or the beginning of a formula and not its end. */
  head(code) {
    if (!isEnd(code)) return this.take(code, this.head);
    this.begun = this.line.trim();
    const begins = !this.begun || (/\\[A-Za-z]|[\^_=]/.test(this.begun) && !this.begun.includes(this.closer));
    return begins && this.closers.isClosed(this.at, this.closer, Boolean(this.begun))
      ? this.end(code)
      : this.nok(code);
  }
  take(code, next) {
    this.line += charOf(code);
    this.writer.take(code);
    return next;
  }
  inside(code) {
    return isEnd(code) ? this.end(code) : this.take(code, this.inside);
  }
  end(code) {
    const line = this.line.trim();
    const ended = this.raw && (line.replace(/[.,;:!]$/, "").endsWith(this.closer) || (this.begun && !line));
    this.raw += `${line}\n`;
    if (ended || code === null) return this.done(code);
    const { context } = this;
    const nonLazy = {
      partial: true,
      tokenize: (effects, ok, nok) =>
        followed(effects, (next) => (context.parser.lazy[context.now().line] ? nok : ok)(next)),
    };
    this.writer.close();
    return this.effects.check(nonLazy, this.next, this.done)(code);
  }
  next(code) {
    this.line = "";
    this.writer.take(code);
    return this.inside;
  }
  done(code) {
    this.writer.close();
    this.effects.exit("formulaBlock");
    return this.ok(code);
  }
}

const followed = (effects, then) => (code) => {
  new Writer(effects).take(code);
  return then;
};

/** The extension; `closers` know whether a block that begins in a line has an end. */
export function formulaSyntax(closers) {
  const block = {
    name: "formulaBlock",
    concrete: true,
    tokenize(effects, ok, nok) {
      return new Block(this, effects, ok, nok, closers).start;
    },
  };
  return { text: { [DOLLAR]: dollars, [SLASH]: inline }, flow: { [DOLLAR]: block, [SLASH]: block } };
}

function enterFormula(token) {
  this.enter({ type: token.type, ...readFormula(this.sliceSerialize(token)) }, token);
}
function exitFormula(token) {
  this.exit(token);
}

/** From tokens to nodes: { type: "formula" | "formulaBlock", value, display, closed, raw }. */
export const formulaNodes = {
  enter: { formula: enterFormula, formulaBlock: enterFormula },
  exit: { formula: exitFormula, formulaBlock: exitFormula },
};
