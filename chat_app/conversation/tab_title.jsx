// The title of the browser's tab: `words`, then the app's name. Without words the page's own title stays.

import { useEffect } from "react";

/**
 * @param {{ words: string, name: string }} props
 * @returns {React.ReactNode}
 */
export function TabTitle({ words, name }) {
  useEffect(() => {
    const before = document.title;
    document.title = words ? `${words} · ${name}` : name;
    // Another page has set its own by now; only what is ours is taken back.
    return () => {
      if (words && document.title === `${words} · ${name}`) document.title = before;
    };
  }, [words, name]);
  return null;
}
