"""Recordings in the daemon: what it sees becomes one, and one becomes what viewers see."""
