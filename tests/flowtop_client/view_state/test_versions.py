import pytest

from flowtop_client.view_state.versions import older_side
from flowtopd.wire.version import VERSION


@pytest.mark.parametrize(
    ("server", "viewer", "said"),
    [
        ("flowtopd 0.9.1", "0.10.0", "flowtopd 0.9.1 is older than this flowtop 0.10.0: update and restart it"),
        ("flowtopd 1.0", "0.10.0", "this flowtop 0.10.0 is older than flowtopd 1.0: update it"),
        ("flowtopd 0.10.0", "0.10.0", ""),
        ("flowtopd 0.10.0-rc1", "0.9", ""),
        ("somebody else\x1b[2J 3", "0.9", ""),
        ("", "0.9", ""),
    ],
)
def test_the_older_of_two_versions_is_named(server: str, viewer: str, said: str) -> None:
    assert older_side(server, viewer) == said


def test_the_same_version_is_no_news() -> None:
    assert older_side(f"flowtopd {VERSION}") == ""
