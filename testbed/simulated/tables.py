"""How long everything is that objects of the daemon keep, found by walking through them."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

_INSIDE: Final = 64
"""So many values of a table are looked into."""


def tables(roots: Mapping[str, Any]) -> dict[str, int]:
    """Find all containers of the daemon's own objects: by place, how long they are. Lists of lists count as one.

    tables({"collector": collector})["collector._pipeline._directory._names._ids"]
    """
    found: dict[str, int] = {}
    seen: set[int] = set()
    waiting = list(roots.items())
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            found[place] = max(found.get(place, 0), len(value) if value.ndim else 1)
        elif isinstance(value, dict | list | set | frozenset | deque | tuple):
            found[place] = found.get(place, 0) + len(value)
            inner = list(value.values()) if isinstance(value, dict) else list(value)
            waiting += ((f"{place}[]", each) for each in inner[:_INSIDE])
        elif type(value).__module__.startswith(("flowtopd.", "testbed.")):
            waiting += ((f"{place}.{name}", each) for name, each in _attributes(value))
    return found


def _attributes(value: Any) -> Iterable[tuple[str, Any]]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*getattr(value, "__dict__", {}).items(), *((n, getattr(value, n)) for n in slots if hasattr(value, n))]
