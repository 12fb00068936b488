"""tcp.conf and udp.conf as they ship, and the script that makes them."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from flowtopd.enrich.services import LONGEST_NAME, PACKAGED, parse_conf

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "iana_ports.py"
PROTOCOLS = ("tcp", "udp")

OURS = "# What everybody uses"
REGISTRY = "# From the registry"

CSV = """\
Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,Modification Date,Reference,\
Service Code,Unauthorized Use Reported,Assignment Notes
,0,tcp,Reserved,[Jon_Postel],[Jon_Postel],,,,,,
ssh,22,tcp,The Secure Shell (SSH) Protocol,,,,,[RFC4251],,,Defined TXT keys: u=<username> p=<password>
ssh,22,udp,The Secure Shell (SSH) Protocol,,,,,[RFC4251],,,
ssh,22,sctp,SSH,,,,,[RFC9260],,,
,24,tcp,any private mail system,,,,,,,,
http,80,tcp,World Wide Web HTTP,,,,,,,,
www-http,80,tcp,World Wide Web HTTP,,,,,,,,
,81,,Unassigned,,,,,,,,
shilp,2049,tcp,,,,,,,,,
nfs,2049,tcp,"Network File System,
of two lines",,,,,,,,
gds-db,3050,tcp,gds-db,,,,,,,,
gds_db,3050,tcp,gds-db,,,,,,,,This entry is an alias
Net Tool/1,3283,tcp,Net,,,,,,,,
swx,7300-7302,tcp,The Swiss Exchange,,,,,,,,
sua,14001,udp,De-Registered,,,,,,,,
filenet-tms,32768,tcp,Filenet TMS,,,,,,,,
x,49152-65535,tcp,Dynamic,,,,,,,,
tip,,tcp,a name without a port,,,,,,,,
"""
JSON = """{"0/tcp": ["", "Reserved"], "22/tcp": ["ssh", "SSH"], "22/udp": ["ssh", "SSH"], "80/tcp": ["www-http", ""],
"2049/tcp": ["nfs", ""], "3050/tcp": ["gds_db", ""], "3283/tcp": ["Net Tool/1", ""], "7300/tcp": ["swx", ""],
"7301/tcp": ["swx", ""], "7302/tcp": ["swx", ""], "14001/udp": ["sua", "De-Registered"], "32768/tcp": ["late", ""]}"""
TCP = {22: "ssh", 2049: "nfs", 3050: "gds-db", 3283: "Net-Tool-1", 7300: "swx", 7301: "swx", 7302: "swx"}


def sections(text: str) -> tuple[str, str]:
    """What is ours, and what is the registry's."""
    _head, _, rest = text.partition(OURS)
    ours, _, registry = rest.partition(REGISTRY)
    return ours, registry


def ports(text: str) -> list[int]:
    return [int(line.partition(",")[0]) for line in text.splitlines() if re.match("[0-9]", line)]


def make(directory: Path, name: str, text: str) -> Path:
    (directory / name).write_text(text)
    done = subprocess.run(
        [sys.executable, SCRIPT, directory / name, "the registry of today", directory],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(directory / f"{protocol}.conf") for protocol in PROTOCOLS]
    return directory


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestShipped:
    def text(self, protocol: str) -> str:
        return (PACKAGED / f"{protocol}.conf").read_text(encoding="ascii")

    def test_every_line_is_a_name_that_is_used_as_it_is(self, protocol: str) -> None:
        text = self.text(protocol)
        names, mistakes = parse_conf(text, Path(protocol))
        assert mistakes == []
        lines = [line.partition("#")[0].rstrip() for line in text.splitlines()]
        assert [f"{port}, {name}" for port, name in names.items()] == [line for line in lines if line]
        assert max(map(len, names.values())) < LONGEST_NAME

    def test_both_sections_are_sorted_and_no_port_is_in_both(self, protocol: str) -> None:
        ours, registry = map(ports, sections(self.text(protocol)))
        assert 40 < len(ours) < 100
        assert 5000 < len(registry) < 10_000
        for section in (ours, registry):
            assert all(one < other for one, other in pairwise(section))
        assert not set(ours) & set(registry)

    def test_a_line_of_ours_says_why_it_is_there(self, protocol: str) -> None:
        ours, _registry = sections(self.text(protocol))
        assert all(re.search("# .+", line) for line in ours.splitlines() if re.match("[0-9]", line))

    def test_the_registry_names_no_ports_of_clients(self, protocol: str) -> None:
        assert max(ports(sections(self.text(protocol))[1])) < 32768

    def test_it_is_what_the_script_makes(self, protocol: str, tmp_path: Path) -> None:
        """The section of ours is changed in the script, which makes the files again."""
        made = (make(tmp_path, "registry.csv", CSV) / f"{protocol}.conf").read_text()
        shipped = self.text(protocol)
        assert sections(made)[0] == sections(shipped)[0]
        source = re.search(r"\(CC0 1\.0\): (.*)\.\n", shipped)
        assert source is not None
        head, head_made = shipped.partition(OURS)[0], made.partition(OURS)[0]
        assert head.replace(source[1], "the registry of today") == head_made


@pytest.mark.parametrize(("name", "text"), [("registry.csv", CSV), ("registry.json", JSON)], ids=["csv", "json"])
def test_the_script_takes_assigned_names_of_servers_ports(tmp_path: Path, name: str, text: str) -> None:
    made = make(tmp_path, name, text)
    for protocol, expected in (("tcp", TCP), ("udp", {22: "ssh"})):
        _ours, registry = sections((made / f"{protocol}.conf").read_text())
        assert parse_conf(registry.partition("\n")[2], Path("made")) == (expected, [])


def test_the_script_says_how_it_is_used(tmp_path: Path) -> None:
    done = subprocess.run([SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "scripts/iana_ports.py REGISTRY SOURCE [DIRECTORY]" in done.stderr


def test_the_names_agree_with_those_of_debian_where_people_know_them() -> None:
    """From /etc/services of netbase 6.4; where the two have another name for a port ours is asked for on purpose."""
    text = {protocol: (PACKAGED / f"{protocol}.conf").read_text() for protocol in PROTOCOLS}
    known = "21 ftp, 22 ssh, 23 telnet, 25 smtp, 53 domain, 110 pop3, 119 nntp, 389 ldap, 443 https, 587 submission"
    known += ", 631 ipp, 636 ldaps, 873 rsync, 993 imaps, 995 pop3s, 2049 nfs, 3389 ms-wbt-server, 5060 sip, 9418 git"
    for each in known.split(", "):
        port, name = each.split()
        assert f"\n{port}, {name}" in text["tcp"], each
    for each in ("53 domain", "67 bootps", "69 tftp", "123 ntp", "161 snmp", "514 syslog", "546 dhcpv6-client"):
        port, name = each.split()
        assert f"\n{port}, {name}" in text["udp"], each
