"""Real kernels to test and measure on: namespaces, injected conntrack entries, traffic, terminals, daemons.

Shared by `tests/`, `bench/` and `stress/`. Needs root, but for `simulated`, which needs no kernel. Whatever is started
here is stopped here, by its pid.
"""
