"""DHCP leases: what every server writes about whom it gave an address, one format a module."""
