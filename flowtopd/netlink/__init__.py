"""Netlink: bytes from the kernel to columns, and the socket they come from."""
