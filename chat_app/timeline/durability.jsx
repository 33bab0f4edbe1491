// The worker that runs the thread, its heartbeat and queue, and in the demo the button that kills the server.

import { useState } from "react";
import Zap from "lucide-react/dist/esm/icons/zap.mjs";
import { useWords } from "../i18n/words.js";
import { useDuration } from "../ui/durations.jsx";
import { processName } from "./spans.jsx";
import { useServerNow } from "./timeline.jsx";

/**
 * The server's `DurabilityView`: which worker runs the thread, and how busy it is.
 *
 * @typedef {{
 *   owner: string,
 *   beat: number,
 *   committed: number,
 *   seq: number,
 *   running: number,
 *   depth: number,
 *   server: string,
 * }} Snapshot
 */

/** @param {{ durability: Snapshot, at: number, demo: boolean, onCrash: () => void }} props */
export function Durability({ durability, at, demo, onCrash }) {
  const say = useWords();
  const duration = useDuration();
  const now = useServerNow(at, Boolean(durability.beat));
  const facts = [
    [
      "owner",
      say("timeline.owner"),
      durability.owner ? processName(durability.owner) : say("timeline.nobody"),
      durability.owner,
    ],
    [
      "beat",
      say("timeline.beat"),
      durability.beat ? say("timeline.ago", { time: duration(Math.max(0, now - durability.beat)) }) : "–",
    ],
    [
      "committed",
      say("timeline.committed"),
      say("timeline.step_of", { done: durability.committed, begun: durability.seq }),
    ],
    [
      "depth",
      say("timeline.depth"),
      say("timeline.queue", { running: durability.running, depth: durability.depth }),
    ],
    [
      "server",
      say("timeline.server"),
      durability.server ? processName(durability.server) : "–",
      durability.server,
    ],
  ];
  return (
    <section
      className="durability"
      aria-label={say("timeline.durability")}
      data-testid="durability"
      data-owner={durability.owner}
      data-server={durability.server}
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
      {demo && <Crash key={durability.server} onCrash={onCrash} />}
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
