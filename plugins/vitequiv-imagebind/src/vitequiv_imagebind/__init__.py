"""ImageBind as an encoder of vitequiv."""
