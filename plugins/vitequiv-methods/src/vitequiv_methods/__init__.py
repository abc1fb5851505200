"""A template for plugins of vitequiv that add no encoder: a solver, a group of directions, and a path."""
