"""What an encoder is, how a spec becomes one, and the built-in adapters."""
