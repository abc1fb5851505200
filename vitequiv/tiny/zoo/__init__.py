"""The tiny zoo: one small trained transformers checkpoint of every family, and how each was trained."""
