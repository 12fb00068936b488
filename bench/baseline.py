"""The regression guard: what `python -m bench` measured against bench/baseline.json, which is committed.

Only what says the same on every machine is kept: ratios of two things measured in turns, and memory. Times and
latencies are not. Less is better for all of them; over 20 % more than the baseline is worse. `--baseline write` renews.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.report import Results, thousands

BASELINE: Final = Path(__file__).parent / "baseline.json"
TOLERANCE: Final = 1.20


def stable(results: Results) -> dict[str, float]:
    """By name, what of these results holds on other machines."""
    values = {f"tick / floor at {thousands(one.flows)} flows": one.pairs.ratio for one in results.ticks}
    values |= {one.what: one.stable for one in results.measured if one.stable is not None}
    return values


def worse(baseline: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """A line for everything that got worse by more than TOLERANCE. What one of the two has not is not compared."""
    return [
        f"{name}: {value:.3g}, baseline {baseline[name]:.3g}: {value / baseline[name] - 1:+.0%}"
        for name, value in now.items()
        if name in baseline and value > baseline[name] * TOLERANCE
    ]


def read(path: Path = BASELINE) -> dict[str, float]:
    """The committed values. Raises OSError or ValueError when there are none."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return {str(name): float(value) for name, value in values.items()}


def write(now: Mapping[str, float], path: Path = BASELINE) -> None:
    """Commit these values; those that were not measured now stay as they are."""
    values = (read(path) if path.exists() else {}) | {name: float(f"{value:.4g}") for name, value in now.items()}
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
