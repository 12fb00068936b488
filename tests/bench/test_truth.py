"""Who has which flow, against what is known: nobody is ever named wrongly; shares are what a busy machine allows."""

import shutil

import pytest

from bench.truth import long_lived, short_lived
from testbed.netns import Namespace


@pytest.mark.kernel
def test_programs_that_stay_are_named_and_none_wrongly(namespace: Namespace) -> None:
    truth = long_lived(namespace, programs=10, flows=100, ticks=2)
    assert (truth.flows, truth.wrong) == (1_000, 0)
    assert truth.share >= 0.99, truth


@pytest.mark.kernel
def test_programs_that_live_for_a_moment_are_caught_and_none_wrongly(namespace: Namespace) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    truth = short_lived(namespace, programs=50)
    assert (truth.flows, truth.wrong) == (50, 0)
    assert truth.share >= 0.8, truth
