// Requests of the page to the server, for what should not be in the state of a tab.

import { serverUrl } from "./attachment_store.js";

/**
 * Send a request with the session of the browser; return the answer's JSON and whether it is a success.
 *
 * The answer is undefined if the server cannot be reached.
 *
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<{ ok: boolean, answer?: any }>}
 */
export async function ask(method, path, body) {
  try {
    const response = await fetch(serverUrl(path), {
      method,
      credentials: "include", // in development the pages have another port
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    return { ok: response.ok, answer: response.status === 204 ? {} : await response.json() };
  } catch {
    return { ok: false };
  }
}
