"""Runs over many items: what to do, where to write it, and one failure never stopping the rest."""
