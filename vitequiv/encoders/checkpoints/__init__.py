"""Finding a checkpoint's files, on disk or on the hub, and refusing damaged or unsafe ones before they are opened."""
