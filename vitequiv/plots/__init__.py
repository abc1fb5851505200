"""A figure a verb, drawn from a result alone."""
