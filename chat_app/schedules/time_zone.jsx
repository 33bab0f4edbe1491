// Tells the server which time zone the browser is in, whenever the server has another: it forgets with
// its process. A script from the server could not ask, for the content policy lets none run.

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
