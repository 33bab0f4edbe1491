"""Running what was claimed: model steps and tool calls, and writing down what they come to."""
