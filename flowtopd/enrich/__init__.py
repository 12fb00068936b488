"""Who and where: processes, names, places, services, LAN devices. No enricher knows another; `pipeline` orders them."""
