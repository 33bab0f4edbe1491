// Syntax highlighting of comments, strings, numbers and keywords with one regular expression per language family. No
// grammar is loaded; code in an unknown language stays plain.

const WORDS =
  "abstract and as assert async await begin bool boolean break case catch char class const continue crate def default defer del delete do double elif else end enum except export extends final finally float fn for foreach from func function global go if impl implements import in include instanceof int interface is lambda let local long loop match mod module mut namespace new nil nonlocal None not null of or package pass private protected pub public raise ref return self static string struct super switch then this throw trait true false True False try type typedef typeof undefined union unsafe use using var void when where while with yield SELECT FROM WHERE INSERT INTO UPDATE DELETE CREATE TABLE INDEX JOIN LEFT INNER ON GROUP ORDER BY LIMIT VALUES SET AND OR NOT NULL PRIMARY KEY echo fi done esac";

/** @type {Record<string, RegExp>} */
const TOKEN = {
  slash:
    /(\/\/[^\n]*|\/\*[\s\S]*?\*\/)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\b(\d[\w.]*)\b|\b([A-Za-z_]\w*)\b/g,
  hash: /(#[^\n]*)|("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\b(\d[\w.]*)\b|\b([A-Za-z_]\w*)\b/g,
  dash: /(--[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\b(\d[\w.]*)\b|\b([A-Za-z_]\w*)\b/g,
};

/** @type {Record<string, string>} */
const FAMILY = {};
for (const [family, names] of Object.entries({
  slash:
    "js jsx ts tsx javascript typescript java kotlin swift c cpp csharp cs go rust rs php scala dart json json5 css scss",
  hash: "py python rb ruby sh bash zsh shell yaml yml toml ini perl r dockerfile makefile elixir",
  dash: "sql postgresql sqlite lua haskell hs",
}))
  for (const name of names.split(" ")) FAMILY[name] = family;

const KEYWORDS = new Set(WORDS.split(" "));
const KINDS = ["comment", "string", "number"];

/**
 * Wrap the tokens of `text` in spans; return it unchanged for an unknown language.
 *
 * @param {string} text
 * @param {string} lang
 */
export function highlight(text, lang) {
  const family = FAMILY[lang.toLowerCase()];
  if (!family) return text;
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN[family])) {
    const kind =
      KINDS.find((_, i) => match[i + 1] !== undefined) ?? (isKeyword(match[4], family) ? "keyword" : null);
    if (!kind) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(
      <span key={match.index} className={`tok-${kind}`}>
        {match[0]}
      </span>,
    );
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

/**
 * @param {string} word
 * @param {string} family
 */
function isKeyword(word, family) {
  return KEYWORDS.has(word) || (family === "dash" && KEYWORDS.has(word?.toUpperCase()));
}
