"""flowtopd: the daemon that reads the kernel's connection tracking and serves it to viewers."""
