// Reads a section again some seconds after each read, while the page is visible.

import { useEffect, useEffectEvent } from "react";

const INTERVAL = 5_000; // ms after a read
const LOST = 30_000; // ms after which an answer no longer comes

/**
 * @param {{ reads: number, onDue: () => void }} props
 * @returns {React.ReactNode}
 */
export function Refresh({ reads, onDue }) {
  const read = useEffectEvent(onDue);
  useEffect(() => {
    let asked = Date.now() + INTERVAL - LOST;
    const look = () => {
      if (document.hidden || Date.now() - asked < LOST) return;
      asked = Date.now();
      read();
    };
    const timer = setInterval(look, 1_000);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [reads]);
  return null;
}
