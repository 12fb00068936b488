"""How modules are imported where a person waits for them."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look a hundred times for what imports do not leave behind."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # modules stay; a full collection over them takes 9 to 50 ms, between a key and its redraw
        gc.enable()


def postponed(name: str) -> None:
    """Let modules of a package be imported without what its `__init__` imports: that runs when it is asked for a name.

    Does nothing where the package has been imported already.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        return
    loader, package = spec.loader, module_from_spec(spec)

    def look_up(attribute: str) -> Any:
        if attribute.startswith("__"):  # asked for by the import system, not for what is in there
            raise AttributeError(attribute)
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__getattr__ = look_up  # type: ignore[method-assign]  # PEP 562
    sys.modules[name] = package
