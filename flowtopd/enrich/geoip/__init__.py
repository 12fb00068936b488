"""Where an address is and whose network it is in, out of MaxMind DB files of any maker."""
