"""The protocol between daemon and viewers; imports nothing else of the daemon."""
