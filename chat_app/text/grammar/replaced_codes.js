// Tokenizers that read other codes than those of the text.

/** @import { Code, State } from "micromark-util-types" */

/**
 * Run a tokenizer on the codes that `replace` returns for those of the text; what follows it gets the text's own.
 *
 * @param {(ok: State, nok: State) => State} begin returns the tokenizer's first state
 * @param {(code: Code) => Code} replace is called for each code, in order
 * @param {State} ok
 * @param {State} nok
 * @returns {State}
 */
export function onReplacedCodes(begin, replace, ok, nok) {
  /** @type {Code} */
  let real = null; // the code that is in the text
  let over = false;
  /** @type {(then: State) => State} */
  const out = (then) => () => {
    over = true;
    return then(real);
  };
  /** @type {(state: State) => State} */
  const wrap = (state) => (code) => {
    real = code;
    const next = state(replace(code));
    return over || !next ? next : wrap(next);
  };
  return wrap(begin(out(ok), out(nok)));
}
