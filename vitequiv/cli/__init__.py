"""The command line: one file a verb, shared options, one renderer."""
