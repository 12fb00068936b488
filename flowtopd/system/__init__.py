"""The host: sysctls, nftables and systemd, changed and put back."""
