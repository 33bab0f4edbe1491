// The worker that runs the thread, its heartbeat and queue, and in the demo the button that kills the server.

import { useState } from "react";
import Zap from "lucide-react/dist/esm/icons/zap.mjs";
import { useWords } from "../i18n/words.js";
import { useDuration } from "../ui/durations.jsx";
import { processName } from "./spans.jsx";
import { useServerNow } from "./timeline.jsx";

/**
 * The server's `HeldView`: which worker runs the thread, and how busy it is.
 *
 * @typedef {{
 *   owner: string,
 *   beat: number,
 *   committed: number,
 *   seq: number,
 *   running: number,
 *   depth: number,
 *   server: string,
 * }} Held
 */

/** @param {{ held: Held, at: number, demo: boolean, onCrash: () => void }} props */
export function Durability({ held, at, demo, onCrash }) {
  const say = useWords();
  const duration = useDuration();
  const now = useServerNow(at, Boolean(held.beat));
  const facts = [
    [
      "owner",
      say("timeline.owner"),
      held.owner ? processName(held.owner) : say("timeline.nobody"),
      held.owner,
    ],
    [
      "beat",
      say("timeline.beat"),
      held.beat ? say("timeline.ago", { time: duration(Math.max(0, now - held.beat)) }) : "–",
    ],
    [
      "committed",
      say("timeline.committed"),
      say("timeline.step_of", { done: held.committed, begun: held.seq }),
    ],
    ["depth", say("timeline.depth"), say("timeline.queue", { running: held.running, depth: held.depth })],
    ["server", say("timeline.server"), held.server ? processName(held.server) : "–", held.server],
  ];
  return (
    <section
      className="durability"
      aria-label={say("timeline.durability")}
      data-testid="durability"
      data-owner={held.owner}
      data-server={held.server}
    >
      <dl>
        {facts.map(([name, label, value, title]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd title={title || undefined} data-testid={`durability-${name}`}>
              {value}
            </dd>
          </div>
        ))}
      </dl>
      {demo && <Crash key={held.server} onCrash={onCrash} />}
    </section>
  );
}

/**
 * Button that kills the server; it works once per process.
 *
 * @param {{ onCrash: () => void }} props
 */
function Crash({ onCrash }) {
  const say = useWords();
  const [pressed, setPressed] = useState(false);
  const press = () => {
    setPressed(true);
    onCrash();
  };
  return (
    <>
      <button type="button" className="button danger" disabled={pressed} onClick={press} data-testid="crash">
        <Zap size={14} aria-hidden="true" />
        {say("demo.crash")}
      </button>
      <p className="hint" role="status">
        {pressed ? say("demo.crashed") : say("demo.hint")}
      </p>
    </>
  );
}
