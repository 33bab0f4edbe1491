// Imports a thread from a file that this or another installation has exported.

import { useRef, useState } from "react";
import { useNavigate } from "react-router";
import { useWords } from "../i18n/words.js";
import { serverUrl } from "../files/attachment_store.js";

/**
 * Upload a file; return the id of the imported thread, or an error code.
 *
 * @param {File} file
 * @returns {Promise<{ id?: string, error?: string }>}
 */
async function send(file) {
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(serverUrl("/imports"), {
      method: "POST",
      credentials: "include",
      headers,
      body: file,
    });
    return await answer.json();
  } catch {
    return { error: "failed" }; // the server is unreachable
  }
}

export function ImportThread() {
  const say = useWords();
  const go = useNavigate();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  /** @type {Record<string, string>} */
  const words = {
    unfit: say("import.unfit"),
    too_large: say("import.too_large"),
    failed: say("import.failed"),
  };

  /** @param {File | undefined} file */
  const take = async (file) => {
    if (!file) return;
    setBusy(true);
    setError("");
    const { id, error: found } = await send(file);
    setBusy(false);
    if (id) go(`/chat/${id}`);
    else setError(words[found ?? "failed"] ?? words.failed);
  };
  return (
    <div>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        hidden
        data-testid="import-file"
        onChange={(event) => {
          take(event.target.files?.[0]);
          event.target.value = ""; // the same file may be chosen again
        }}
      />
      <button
        type="button"
        className="button"
        disabled={busy}
        onClick={() => input.current?.click()}
        data-testid="import"
      >
        {say("import.choose")}
      </button>
      {error && (
        <p className="callout" role="alert" data-testid="import-error">
          {error}
        </p>
      )}
    </div>
  );
}
