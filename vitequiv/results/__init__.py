"""Frozen result types, the status, and the versioned JSON envelope."""
