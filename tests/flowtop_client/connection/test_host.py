import pytest

from flowtop_client.connection.host import Host, is_plain, labels, parse


@pytest.mark.parametrize(
    ("spec", "name", "user", "port"),
    [
        ("router", "router", "", None),
        ("alice@router", "router", "alice", None),
        ("alice@router:2222", "router", "alice", 2222),
        ("ssh://alice@router.example.net:2222/", "router.example.net", "alice", 2222),
        ("ssh://router", "router", "", None),
        ("2001:db8::1", "2001:db8::1", "", None),
        ("alice@[2001:db8::1]:22", "2001:db8::1", "alice", 22),
        ("fe80::1%eth0", "fe80::1%eth0", "", None),
        ("домашний-роутер", "домашний-роутер", "", None),
    ],
)
def test_a_host_is_read_as_ssh_reads_it(spec: str, name: str, user: str, port: int | None) -> None:
    assert parse(spec) == Host(spec, name, user, port)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "-oProxyCommand=reboot",
        "alice@-oProxyCommand=reboot",
        "-l@router",
        "two words",
        "router\n",
        "router;reboot",
        "`reboot`@router",
        "$(reboot)",
        "a'b",
        "alice@",
        "@router",
        "router:0",
        "router:65536",
        "router:ssh",
    ],
)
def test_nothing_that_could_be_an_option_or_a_command_is_a_host(spec: str) -> None:
    with pytest.raises(ValueError, match=r"host|user|ports"):
        parse(spec)


def test_what_a_person_would_type_is_told() -> None:
    assert parse("alice@router:2222").by_hand == "ssh -p 2222 alice@router"
    assert parse("router").by_hand == "ssh router"


def test_hosts_are_called_by_their_names_where_these_tell_them_apart() -> None:
    hosts = [parse(spec) for spec in ("root@router", "alice@ap", "ap:2222")]
    assert labels(hosts) == ("router", "alice@ap", "ap:2222")


@pytest.mark.parametrize("path", ["", "relative", "/a:b", "/a b", "/%h", "/${HOME}", "/a\\b", "/ä"])
def test_paths_that_ssh_would_read_otherwise_are_none(path: str) -> None:
    assert not is_plain(path)
    assert is_plain("/run/flowtop/flowtop.sock")
