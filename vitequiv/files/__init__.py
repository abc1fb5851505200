"""Reading files that a stranger may have written: never waited for, never swallowed."""
