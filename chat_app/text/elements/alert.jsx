// GitHub's alerts: a quote whose first line is [!NOTE], [!TIP], [!IMPORTANT], [!WARNING] or [!CAUTION].
// https://docs.github.com/en/get-started/writing-on-github/basic-writing-and-formatting-syntax#alerts

import Info from "lucide-react/dist/esm/icons/info.mjs";
import Lightbulb from "lucide-react/dist/esm/icons/lightbulb.mjs";
import Message from "lucide-react/dist/esm/icons/message-square-warning.mjs";
import Octagon from "lucide-react/dist/esm/icons/octagon-alert.mjs";
import Triangle from "lucide-react/dist/esm/icons/triangle-alert.mjs";
import { useWords } from "../../i18n/words.js";
import { childrenOf } from "../grammar/grammar.js";

/** @import { Node } from "../grammar/grammar.js" */

const MARK = /^\[!(note|tip|important|warning|caution)\][ \t]*(?:\n|$)/i;
/** @type {Record<string, import("lucide-react").LucideIcon>} */
const ICONS = { note: Info, tip: Lightbulb, important: Message, warning: Triangle, caution: Octagon };

/**
 * Return the kind and the content of the alert that a quote is; null for a plain quote.
 *
 * @param {Node} quote
 */
export function alertOf(quote) {
  const [paragraph, ...rest] = childrenOf(quote);
  if (paragraph?.type !== "paragraph") return null;
  const [first, ...after] = childrenOf(paragraph);
  const mark = first?.type === "text" && MARK.exec(first.value);
  if (!mark) return null;
  const text = first.value.slice(mark[0].length);
  if (!text && after.length && after[0].type !== "break" && !mark[0].endsWith("\n")) return null; // [!NOTE] with more on its line
  const content = [
    ...(text ? [{ ...first, value: text }] : []),
    ...(after[0]?.type === "break" && !text ? after.slice(1) : after),
  ];
  if (!content.length && !rest.length) return null;
  return {
    type: "alert",
    kind: mark[1].toLowerCase(),
    children: [...(content.length ? [{ ...paragraph, children: content }] : []), ...rest],
  };
}

/** @param {string} kind */
function useTitle(kind) {
  const say = useWords();
  if (kind === "tip") return say("markdown.tip");
  if (kind === "important") return say("markdown.important");
  if (kind === "warning") return say("markdown.warning");
  return kind === "caution" ? say("markdown.caution") : say("markdown.note_alert");
}

/** @param {{ kind: string, dir?: string, children: React.ReactNode }} props */
export function Alert({ kind, dir, children }) {
  const Icon = ICONS[kind];
  return (
    <div className={`md-alert ${kind}`} dir={dir}>
      <p className="md-alert-title">
        <Icon size={16} aria-hidden="true" />
        {useTitle(kind)}
      </p>
      {children}
    </div>
  );
}
