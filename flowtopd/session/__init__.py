"""Sessions: the Unix socket, the viewers on it, and who may connect."""
