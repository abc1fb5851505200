"""The parts of the timm adapter."""
