"""The one loop that every verb's items run in: decode ahead, compute in batches, write behind, lose nothing."""
