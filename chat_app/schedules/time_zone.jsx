// Sends the browser's time zone whenever the server has another one: the server's copy is lost with its process. The
// server cannot ask by a script, because the content policy blocks those.

import { useEffect, useEffectEvent } from "react";

/**
 * @param {{ known: string, onZone: (zone: string) => void }} props
 * @returns {React.ReactNode}
 */
export function Zone({ known, onZone }) {
  const tell = useEffectEvent(onZone);
  useEffect(() => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && zone !== known) tell(zone);
  }, [known]);
  return null;
}
