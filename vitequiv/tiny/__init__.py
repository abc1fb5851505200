"""The embedded default: procedural scenes with captions, the two-tower model, its training and its weights."""
