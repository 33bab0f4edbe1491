// Tells the server which time zone the browser is in, whenever the server has another: it forgets with
// its process. A script from the server could not ask, for the content policy lets none run.

import { useEffect } from "react";

export function Zone({ known, onZone }) {
  useEffect(() => {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && zone !== known) onZone(zone);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `onZone` changes with every render and means the same
  }, [known]);
  return null;
}
