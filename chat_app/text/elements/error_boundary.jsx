// An error boundary per text: a text that cannot be rendered is shown as plain text, and the rest of the page stays.

import { Component } from "react";

/**
 * @extends {Component<{ text?: string, fallback?: React.ReactNode, children: React.ReactNode }, { failed: boolean }>}
 */
export class Boundary extends Component {
  state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  /** @param {unknown} error */
  componentDidCatch(error) {
    console.info("A text is shown as it is written:", error);
  }

  render() {
    if (!this.state.failed) return this.props.children;
    return this.props.fallback ?? <PlainText text={this.props.text} />;
  }
}

/**
 * Text without markup, as it was written.
 *
 * @param {{ text?: string }} props
 */
export function PlainText({ text }) {
  return (
    <div className="md-plain" dir="auto">
      {text}
    </div>
  );
}
