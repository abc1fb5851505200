"""A template for plugins of vitequiv: the perceptual hash pHash as an encoder."""
