"""From names on a command line to work lists, read as they are needed."""
