import pytest

from flowtop_client.view_state.misreading import misread


@pytest.mark.parametrize(
    ("text", "word", "meant"),
    [
        ("contry DE", "contry", "country"),
        ("prot 17", "prot", "proto"),
        ("tcp and not (procces firefox or port 443)", "procces", "process"),
        ("Devise tv", "Devise", "device"),
    ],
)
def test_a_misspelt_field_is_suspected(text: str, word: str, meant: str) -> None:
    assert misread(text) == f"{word!r} is searched for as a text: did you mean {meant!r}?"


@pytest.mark.parametrize("text", ["", "tv", "tcp and port 443", "firefox", "country DE", "(", "example.com or 1.1.1.1"])
def test_what_is_right_or_like_nothing_is_not_suspected(text: str) -> None:
    assert misread(text) == ""
