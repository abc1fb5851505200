"""Batches computed by the workers of a Ray cluster; all else stays in the process that the user began."""
