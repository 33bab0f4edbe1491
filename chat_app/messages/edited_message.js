// The message that is being edited. The toolbar below a message starts an edit and the bubble above it becomes the
// editor; they are in different places of the page, so they share this value.

import { SharedValue, useShared } from "../ui/shared_value.js";

const editing = new SharedValue("");

/** @param {string} id */
export const edit = (id) => editing.set(id);

/**
 * No more editing of this message; another one may be edited meanwhile.
 *
 * @param {string} id
 */
export const endEdit = (id) => editing.value === id && edit("");

/** @param {string} id */
export const useEditing = (id) => useShared(editing, false, (value) => value === id);
