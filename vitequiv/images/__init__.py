"""Decoding, exact and differentiable preprocessing, the canvas, and atomic saving of images."""
