// Whether a key press belongs to an input method: its Return takes a word, its Esc gives one up, and neither is ours.

/**
 * Safari ends the composition before it tells of the key, and only the key's code says so.
 *
 * @param {KeyboardEvent | React.KeyboardEvent} event
 */
export const isComposing = (event) =>
  ("nativeEvent" in event ? event.nativeEvent : event).isComposing || event.keyCode === 229;
