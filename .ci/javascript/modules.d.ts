// What the scripts import and no package declares.

declare module "lucide-react/dist/esm/icons/*.mjs" {
  const Icon: import("lucide-react").LucideIcon;
  export default Icon;
}

declare module "katex/contrib/mhchem";
declare module "katex/dist/katex.min.css";
declare module "mermaid"; // 90 MB, of which two functions are called

/** Written by Reflex when it builds the pages. */
declare module "$/utils/state" {
  export function getBackendURL(url?: string): URL;
}

declare module "$/utils/context-registry" {
  type Context<T> = import("react").Context<T>;
  /** The states of the tab, each under the full name of its class. */
  export const StateStoreContext: Context<{
    subscribe(name: string, listener: () => void): () => void;
    getSnapshot(name: string): any;
  }>;
  export const ColorModeContext: Context<{
    rawColorMode: string;
    resolvedColorMode: string;
    setColorMode(mode: string): void;
    toggleColorMode(): void;
  }>;
}
