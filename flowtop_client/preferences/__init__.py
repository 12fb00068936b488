"""What a user wants kept: the configuration file of the viewer, and the filters that were used."""
