// Sends the browser's time zone whenever the server has a different one: the server's copy is lost with its process.
// The server cannot run a script to read it, because the content security policy blocks inline scripts.

import { useEffect, useEffectEvent } from "react";

/**
 * @param {{ known: string, onZone: (zone: string) => void }} props
 * @returns {React.ReactNode}
 */
export function Zone({ known, onZone }) {
  const send = useEffectEvent(onZone);
  useEffect(() => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && zone !== known) send(zone);
  }, [known]);
  return null;
}
