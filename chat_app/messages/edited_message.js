// The message that is being edited. The toolbar below a message starts the edit and the bubble above it becomes the
// editor; they are in different parts of the tree, so they share this value.

import { SharedValue, useShared } from "../ui/shared_value.js";

const editing = new SharedValue("");

/** @param {string} id */
export const edit = (id) => editing.set(id);

/**
 * End the edit of this message, unless another one is being edited meanwhile.
 *
 * @param {string} id
 */
export const endEdit = (id) => editing.value === id && edit("");

/** @param {string} id */
export const useEditing = (id) => useShared(editing, false, (value) => value === id);
