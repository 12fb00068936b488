"""The way to a daemon: the system's one, or a private one for this viewer alone."""
