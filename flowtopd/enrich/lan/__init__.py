"""The local network: what an address is to this host, and which device has it."""
