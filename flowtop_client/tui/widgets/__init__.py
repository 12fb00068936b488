"""Screen parts that know nothing of what they show."""
