"""What other packages can add to vitequiv: the hooks, how plugins are loaded, and who owns which name."""
