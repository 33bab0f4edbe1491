"""Run claimed work: model steps, tool calls, schedules and titles."""
