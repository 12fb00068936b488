import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import netns
from testbed.daemon import Daemon
from testbed.netns import Namespace
from testbed.router import Router


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kernel") is not None and os.geteuid() != 0:
        pytest.skip("needs root: a real kernel table in a network namespace")


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_over() -> Iterator[None]:
    yield
    assert netns.left_over() == [], "namespaces left over by this run"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A host of its own whose kernel tracks connections, with counters and timestamps."""
    with Namespace() as host:
        host.account()
        host.track()
        yield host


@pytest.fixture
def router() -> Iterator[Router]:
    """LAN hosts, a router that masquerades and counts, and a WAN host with public addresses."""
    with Router() as network:
        yield network


@pytest.fixture
def daemon(namespace: Namespace, tmp_path: Path) -> Iterator[Daemon]:
    """A running flowtopd in `namespace`."""
    with Daemon(namespace, tmp_path) as running:
        yield running
