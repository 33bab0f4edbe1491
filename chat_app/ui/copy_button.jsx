// A button that copies a text and confirms it for a moment.

import { useEffect, useRef, useState } from "react";
import Check from "lucide-react/dist/esm/icons/check.mjs";
import Copy from "lucide-react/dist/esm/icons/copy.mjs";
import { useWords } from "../i18n/words.js";

const COPIED_MS = 1500; // how long the confirmation is shown

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // plain http on another host has no clipboard API
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * Return whether a text has just been copied, and a function that copies one.
 *
 * @returns {[copied: boolean, copyText: (text: string) => void]}
 */
export function useCopy() {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const confirm = () => {
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), COPIED_MS);
  };
  return [copied, (text) => void copy(text).then(confirm, () => {})];
}

/** @param {{ text: string, label?: string }} props */
export function CopyButton({ text, label }) {
  const say = useWords();
  const [copied, copyText] = useCopy();
  /** @param {React.MouseEvent} event */
  const onClick = (event) => {
    event.stopPropagation();
    event.preventDefault();
    copyText(text);
  };
  const Icon = copied ? Check : Copy;
  const words = copied ? say("message.copied") : (label ?? say("message.copy"));
  return (
    <button type="button" className="icon-button small" onClick={onClick} aria-label={words} title={words}>
      <Icon size={14} aria-hidden="true" />
    </button>
  );
}
