"""The parts of the clip adapter."""
