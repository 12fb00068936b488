"""The options as argparse takes them: help, version, and filters with a mistake."""

import pytest

from flowtop_client.cli import main
from flowtop_client.parser import DEFAULT_SOCKET


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "tcp and port 1-",
            ["flowtop: filter: port wants a whole number, or two as 1-1024", "  tcp and port 1-", " " * 15 + "^"],
        ),
        ("tcp port 70000", ["flowtop: filter: port is at most 65535", "  tcp port 70000", " " * 11 + "^"]),
        ("tcp and", ["flowtop: filter: a condition is missing at the end", "  tcp and", "         ^"]),
        ("例え (", ["flowtop: filter: a condition is missing at the end", "  例え (", " " * 8 + "^"]),
        ("tcp\x1b[2J (", ["flowtop: filter: a condition is missing at the end", "  tcp?[2J (", " " * 11 + "^"]),
    ],
)
def test_a_wrong_filter_is_shown_with_the_place_before_anything_is_connected(
    text: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--once", "--socket", "/nowhere", "-f", text])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == lines


def test_of_a_long_filter_the_part_around_the_mistake_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["-f", "port 443 or " * 100 + "port 1- or port 80" * 40])
    _, shown, mark = capsys.readouterr().err.splitlines()
    assert len(shown) <= 80
    assert shown[mark.index("^") :].startswith("1-")


def test_help_lists_every_option_and_fits_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(["-h"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for option in [
        "-4",
        "-6",
        "-T",
        "-U",
        "-D",
        "-I",
        "-S",
        "-n",
        "-G",
        "-s",
        "-b",
        "-t",
        "-v",
        "-h",
        "--all",
        "--once",
        "--json",
        "--csv",
        "--text",
        "--sort",
        "--limit",
        "--view",
        "-f",
    ]:
        assert f"{option} " in text or f"{option}," in text or f"{option}\n" in text
    for option in [
        "--ipv4",
        "--ipv6",
        "--tcp",
        "--udp",
        "--dccp",
        "--icmp",
        "--sctp",
        "--no-dns",
        "--no-geoip",
        "--show-src",
        "--bits",
    ]:
        assert option in text


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("flowtop ")


def test_the_default_socket_is_the_documented_one() -> None:
    assert DEFAULT_SOCKET == "/run/flowtop/flowtop.sock"
