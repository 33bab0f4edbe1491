// The title of the browser tab: `words`, then the app's name. Without words it is the app's name.

import { useEffect } from "react";

/**
 * @param {{ words: string, name: string }} props
 * @returns {React.ReactNode}
 */
export function TabTitle({ words, name }) {
  useEffect(() => {
    const before = document.title;
    document.title = words ? `${words} · ${name}` : name;
    // The next page may have set its own title by now; that one must stay.
    return () => {
      if (words && document.title === `${words} · ${name}`) document.title = before;
    };
  }, [words, name]);
  return null;
}
