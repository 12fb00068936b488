"""The daemon's collecting half on a clock that is told: hours of a changing table in minutes.

    Kernel ── netlink messages ──▶ Collector ▶ FlowTable ▶ Pipeline ▶ Hub ◀── look    a second on the clock
      └ endings ─▶ Endings ────────────────────▶ │                                    is milliseconds in life
    Processes ── answers ──────────────────────▶ │
    Surroundings, NameServer ── Lan, Resolver ─▶ │

    with closing(SimulatedDaemon(flows=300, changed=100)) as daemon:
        tick = daemon.second()
        assert daemon.mistakes(tick) == []

`kernel`, `enrichers` and `clock` stand for the world around it; all else in `daemon` is what flowtopd is made of.
`tables` measures how much it keeps.
"""
