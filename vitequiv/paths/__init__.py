"""Paths between images: straight, re-matched to one embedding, and inside one class of equal embedding."""
