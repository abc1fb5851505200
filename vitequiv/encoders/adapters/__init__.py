"""The built-in families, one module each, which declares what is special about it; heavy imports are in functions."""
