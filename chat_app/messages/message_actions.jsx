// The toolbar below a message: copy, edit or regenerate it, switch to another version, fork the thread here, and vote.

import Check from "lucide-react/dist/esm/icons/check.mjs";
import ChevronLeft from "lucide-react/dist/esm/icons/chevron-left.mjs";
import ChevronRight from "lucide-react/dist/esm/icons/chevron-right.mjs";
import Copy from "lucide-react/dist/esm/icons/copy.mjs";
import GitFork from "lucide-react/dist/esm/icons/git-fork.mjs";
import Pencil from "lucide-react/dist/esm/icons/pencil.mjs";
import RotateCw from "lucide-react/dist/esm/icons/rotate-cw.mjs";
import ThumbsDown from "lucide-react/dist/esm/icons/thumbs-down.mjs";
import ThumbsUp from "lucide-react/dist/esm/icons/thumbs-up.mjs";
import { useWords } from "../i18n/words.js";
import { useCopy } from "../ui/copy_button.jsx";
import { edit } from "./edited_message.js";

/** @typedef {{ name: string, icon: import("lucide-react").LucideIcon, label: string, idle?: boolean }} Named */

/** @param {Named & React.ComponentProps<"button">} props */
function Action({ name, icon: Icon, label, idle = false, ...props }) {
  return (
    <button
      type="button"
      className={`icon-button small${idle ? " when-idle" : ""}`}
      aria-label={label}
      title={label}
      data-testid={name}
      {...props}
    >
      <Icon size={15} aria-hidden="true" />
    </button>
  );
}

/** @param {Named & { vote: string, onVote: (vote: string) => void }} props */
function Vote({ name, vote, onVote, ...props }) {
  const chosen = vote === name;
  return (
    <Action
      {...props}
      name={`vote-${name}`}
      aria-pressed={chosen}
      onClick={() => onVote(chosen ? "" : name)}
    />
  );
}

/** @param {{ text: () => string }} props */
function CopyAction({ text }) {
  const say = useWords();
  const [copied, copyText] = useCopy();
  const label = copied ? say("message.copied") : say("message.copy");
  return <Action name="copy" icon={copied ? Check : Copy} label={label} onClick={() => copyText(text())} />;
}

/**
 * Switcher between the versions of a message: ‹ 2/3 ›.
 *
 * @param {{
 *   place: number,
 *   count: number,
 *   previous: string,
 *   next: string,
 *   onSelect: (messageId: string) => void,
 * }} props
 */
function Versions({ place, count, previous, next, onSelect }) {
  const say = useWords();
  return (
    <span className="versions when-idle" data-testid="versions">
      <Action
        name="version-before"
        icon={ChevronLeft}
        label={say("message.version_before")}
        disabled={!previous}
        onClick={() => onSelect(previous)}
      />
      <span aria-label={say("message.version", { place, count })} role="img">
        {place}/{count}
      </span>
      <Action
        name="version-after"
        icon={ChevronRight}
        label={say("message.version_after")}
        disabled={!next}
        onClick={() => onSelect(next)}
      />
    </span>
  );
}

/** @param {{ kind: string, text: string }[]} parts */
const wordsOf = (parts) =>
  parts
    .filter((part) => part.kind === "text")
    .map((part) => part.text)
    .join("\n\n");

/**
 * @param {{
 *   messageId: string,
 *   role: string,
 *   text?: string,
 *   parts?: { kind: string, text: string }[],
 *   whole?: boolean,
 *   place?: number,
 *   count?: number,
 *   previous?: string,
 *   next?: string,
 *   vote?: string,
 *   onRegenerate: (messageId: string) => void,
 *   onSelect: (messageId: string) => void,
 *   onFork: (messageId: string) => void,
 *   onVote: (messageId: string, vote: string) => void,
 * }} props
 */
export function MessageActions({
  messageId,
  role,
  text = "",
  parts = [],
  whole = true,
  place = 0,
  count = 0,
  previous = "",
  next = "",
  vote = "",
  onRegenerate,
  onSelect,
  onFork,
  onVote,
}) {
  const say = useWords();
  const mine = role === "user";
  /** @param {string} chosen */
  const onVoted = (chosen) => onVote(messageId, chosen);
  return (
    <div className="actions" role="group" aria-label={say("message.actions")} data-testid="actions">
      {count > 1 && (
        <Versions place={place} count={count} previous={previous} next={next} onSelect={onSelect} />
      )}
      <CopyAction text={() => (mine ? text : wordsOf(parts))} />
      {mine && whole && (
        <Action name="edit" icon={Pencil} idle label={say("message.edit")} onClick={() => edit(messageId)} />
      )}
      {!mine && (
        <Action
          name="regenerate"
          icon={RotateCw}
          idle
          label={say("message.regenerate")}
          onClick={() => onRegenerate(messageId)}
        />
      )}
      <Action name="fork" icon={GitFork} label={say("message.fork")} onClick={() => onFork(messageId)} />
      {!mine && (
        <>
          <Vote name="up" icon={ThumbsUp} label={say("message.good")} vote={vote} onVote={onVoted} />
          <Vote name="down" icon={ThumbsDown} label={say("message.poor")} vote={vote} onVote={onVoted} />
        </>
      )}
    </div>
  );
}
