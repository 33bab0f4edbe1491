// Which message the person is editing. The toolbar below it begins, the bubble above it becomes the
// editor; both stand in different places of the page, so this is between them.

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
