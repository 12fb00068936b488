"""Real kernels to test and measure on: namespaces, injected conntrack entries, traffic, terminals, daemons.

Shared by `tests/` and `bench/`. Needs root. Whatever is started here is stopped here, by its pid.
"""
