// The scrolling column of messages. It follows the end while the user is at the end, stops as soon as they scroll up,
// and offers a button back. Rows that are prepended (`anchor` changes) do not move the view.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useParams } from "react-router";
import ArrowDown from "lucide-react/dist/esm/icons/arrow-down.mjs";
import { useWords } from "../i18n/words.js";
import { prefersReducedMotion } from "../ui/browser.js";
import { LiveRegion } from "./live_region.jsx";
import { useScrollToMessage } from "./scroll_to_message.js";

const AT_END_PX = 24;
const FAR_PX = 160;

/** @param {HTMLElement} box */
const fromEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight;

/**
 * @param {{
 *   children: React.ReactNode,
 *   thread: string,
 *   anchor: string,
 *   sent: string,
 *   running?: boolean,
 *   onSeek: (messageId: string) => void,
 * }} props
 */
export function Viewport({ children, thread, anchor, sent, running = false, onSeek }) {
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const column = useRef(/** @type {HTMLDivElement | null} */ (null));
  const scroll = useRef({ follow: true, top: 0, end: 0 });
  const [isFarFromEnd, setFarFromEnd] = useState(false);
  const address = useParams().thread_id;
  const isLeaving = address !== undefined && address !== thread; // the old thread is shown until the new one arrives

  const scrollToEnd = useCallback((/** @type {ScrollBehavior} */ behavior = "auto") => {
    scroll.current.follow = true;
    box.current?.scrollTo({
      top: box.current.scrollHeight,
      behavior: prefersReducedMotion() ? "auto" : behavior,
    });
    scroll.current.top = box.current?.scrollTop ?? 0; // a line that disappeared has moved the view, not the user
  }, []);

  const onScroll = useCallback(() => {
    const { current: el } = box;
    if (!el) return; // a resize that was observed just before the page unmounted
    const gap = fromEnd(el);
    if (gap <= AT_END_PX) scroll.current.follow = true;
    else if (el.scrollTop < scroll.current.top - 1) scroll.current.follow = false;
    scroll.current.top = el.scrollTop;
    scroll.current.end = gap;
    setFarFromEnd(!scroll.current.follow && gap > FAR_PX);
  }, []);

  // Scroll to the end at once for another thread, or after the user sends a message.
  useLayoutEffect(() => scrollToEnd(), [thread, sent, scrollToEnd]);

  useScrollToMessage(box, Boolean(anchor), () => (scroll.current.follow = false), onSeek);

  // Keep the distance from the end when earlier rows are prepended.
  useLayoutEffect(() => {
    const { current: el } = box;
    if (el && !scroll.current.follow) el.scrollTop = el.scrollHeight - el.clientHeight - scroll.current.end;
  }, [anchor]);

  useEffect(() => {
    const onResize = () => (scroll.current.follow ? scrollToEnd() : onScroll());
    const sizes = new ResizeObserver(onResize);
    for (const el of [column.current, box.current]) if (el) sizes.observe(el);
    return () => sizes.disconnect();
  }, [scrollToEnd, onScroll]);

  return (
    <div className="viewport" data-running={running}>
      <div
        ref={box}
        className="viewport-scroll"
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={say("message.all")}
        data-testid="messages"
      >
        <div ref={column} className="column" inert={isLeaving}>
          {children}
        </div>
      </div>
      <LiveRegion column={column} thread={thread} running={running} />
      {isFarFromEnd && (
        <button
          type="button"
          className="to-latest"
          onClick={() => scrollToEnd("smooth")}
          aria-label={say("message.latest")}
          data-testid="jump-to-latest"
        >
          <ArrowDown size={16} aria-hidden="true" />
        </button>
      )}
    </div>
  );
}
