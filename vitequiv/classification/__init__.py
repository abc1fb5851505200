"""Classifiers on top of an encoder: zero-shot by text, the checkpoint's own head, prototypes of example images."""
