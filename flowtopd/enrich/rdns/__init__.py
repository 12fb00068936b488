"""Names of addresses, from the system's resolver: asked in the background, remembered for a while, never waited for."""
