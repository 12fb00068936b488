"""flowtopd.enrich.process.cgroup: ids and processes to names, on real cgroups; other hierarchies on files."""

import os
import socket
import struct
from pathlib import Path

import pytest

from flowtopd.enrich.process.cgroup import NOWHERE, PATH_LENGTH, Cgroups, Place, paths_of
from flowtopd.enrich.process.containers import Containers
from flowtopd.enrich.process.procfs import Pid
from tests.flowtopd.enrich.process.agents import Agent, Clock

HEX = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa99887766554433221100"


def below(cgroup: Path, *names: str) -> Path:
    for name in names:
        cgroup /= name
        cgroup.mkdir()
    return cgroup


def cgroup_id(path: Path) -> int:
    return path.stat().st_ino


def unit(name: str) -> Place:
    """A service below the root."""
    return Place(unit=name, path=f"/{name}")


ROOT = Place(path="/")


@pytest.mark.kernel
def test_a_cgroup_is_known_by_its_id(cgroup: Path) -> None:
    cgroups = Cgroups()
    assert cgroups.name(cgroup_id(cgroup)) == unit(cgroup.name)
    assert cgroups.name(cgroup_id(cgroup.parent)) == ROOT


@pytest.mark.kernel
def test_the_id_of_a_socket_is_the_inode_of_its_cgroup(cgroup: Path) -> None:
    """What sock_diag tells as INET_DIAG_CGROUP_ID is what name() takes."""
    with Agent() as agent:
        (cgroup / "cgroup.procs").write_text(str(agent.pid))
        assert Cgroups().name(cgroup_of_socket(agent.ask("listen"))) == unit(cgroup.name)


@pytest.mark.kernel
def test_deep_cgroups_and_containers_are_found(cgroup: Path, tmp_path: Path) -> None:
    cgroups = Cgroups(Containers(Clock(), tmp_path))
    container = below(cgroup, "deep", f"docker-{HEX}.scope")
    assert cgroups.name(cgroup_id(container)) == Place(cgroup.name, HEX[:12], f"/{cgroup.name}/deep/{container.name}")
    pod = below(cgroup, "pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
    fresh = Cgroups(Containers(Clock(), tmp_path))
    found = Place(cgroup.name, "pod 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", f"/{cgroup.name}/{pod.name}")
    assert fresh.name(cgroup_id(pod)) == found


@pytest.mark.kernel
def test_a_cgroup_that_is_made_later_is_found(cgroup: Path) -> None:
    cgroups = Cgroups(clock=Clock())
    assert cgroups.name(cgroup_id(cgroup)) is not None
    later = below(cgroup, "later.service")
    assert cgroups.name(cgroup_id(later)) == Place("later.service", None, f"/{cgroup.name}/later.service")


@pytest.mark.kernel
def test_an_id_that_is_nowhere_does_not_keep_us_listing_the_tree(cgroup: Path) -> None:
    clock = Clock()
    cgroups = Cgroups(clock=clock)
    assert cgroups.name(1 << 50) is None
    before = cgroups._paths
    clock.now += 5.0
    assert cgroups.name(1 << 50) is None
    assert cgroups._paths is before
    clock.now += 5.0
    assert cgroups.name(1 << 50) is None
    assert cgroups._paths is not before
    assert cgroups.name(cgroup_id(cgroup)) is not None


@pytest.mark.kernel
def test_a_tree_that_takes_long_to_list_is_listed_seldom(cgroup: Path) -> None:
    clock = Clock(step=1.0)
    cgroups = Cgroups(clock=clock)
    assert cgroups.name(cgroup_id(cgroup)) is not None
    clock.step = 0.0
    later = below(cgroup, "later.service")
    assert cgroups.name(cgroup_id(later)) is None
    clock.now += 20.0
    assert cgroups.name(cgroup_id(later)) == Place("later.service", None, f"/{cgroup.name}/later.service")


@pytest.mark.kernel
def test_a_process_has_the_name_of_its_cgroup(cgroup: Path) -> None:
    cgroups = Cgroups()
    with Agent() as agent:
        before = cgroups.of_process(agent.pid)
        assert (before.unit, before.container) == (None, None)
        assert before.path in paths_of(Path(f"/proc/{agent.pid}/cgroup").read_text())
        (cgroup / "cgroup.procs").write_text(str(agent.pid))
        assert cgroups.of_process(agent.pid) == unit(cgroup.name)
    assert cgroups.of_process(agent.pid) == NOWHERE


@pytest.mark.kernel
def test_members_are_the_processes_of_a_small_cgroup(cgroup: Path) -> None:
    cgroups = Cgroups()
    with Agent() as agent:
        assert cgroups.members(cgroup_id(cgroup)) == []
        (cgroup / "cgroup.procs").write_text(str(agent.pid))
        assert cgroups.members(cgroup_id(cgroup)) == [agent.pid]
        for _ in range(32):
            agent.ask("fork")
        assert cgroups.members(cgroup_id(cgroup)) == []
    assert cgroups.members(1 << 50) == []


def fake_proc(root: Path, mountinfo: str = "", cgroup: str = "") -> Path:
    for folder in ("self", "17"):
        (root / folder).mkdir()
    (root / "self/mountinfo").write_text(mountinfo)
    (root / "17/cgroup").write_bytes(os.fsencode(cgroup))
    return root


MOUNTS = {
    "33 25 0:28 / {} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n": "unified",
    "32 31 0:29 / /elsewhere rw - cgroup cgroup rw,cpu\n41 31 0:38 / {} rw - cgroup2 cgroup2 rw\n": "hybrid",
}


@pytest.mark.parametrize("mounts", MOUNTS, ids=MOUNTS.values())
def test_the_tree_is_where_it_is_mounted(mounts: str, tmp_path: Path) -> None:
    tree = tmp_path / "a tree"
    (tree / "web.service").mkdir(parents=True)
    proc = tmp_path / "proc"
    proc.mkdir()
    cgroups = Cgroups(proc=fake_proc(proc, mounts.format(str(tree).replace(" ", "\\040"))))
    assert cgroups.name((tree / "web.service").stat().st_ino) == unit("web.service")


@pytest.mark.parametrize("mounts", ["", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "broken\n"])
def test_without_cgroup_v2_ids_say_nothing(mounts: str, tmp_path: Path) -> None:
    cgroups = Cgroups(proc=fake_proc(tmp_path, mounts))
    assert cgroups.name(1) is None
    assert cgroups.members(1) == []


PATHS = {
    "0::/system.slice/cron.service\n": ["/system.slice/cron.service"],
    "5:cpu,cpuacct:/\n1:name=systemd:/system.slice/cron.service\n0::/system.slice/cron.service\n": [
        "/system.slice/cron.service",
        "/",
    ],
    "9:memory:/docker/x\n1:name=systemd:/user.slice\n": ["/user.slice", "/docker/x"],
    "0::/odd:name\n": ["/odd:name"],
    "": [],
}


@pytest.mark.parametrize(("lines", "paths"), PATHS.items())
def test_paths_come_in_the_order_of_what_they_say(lines: str, paths: list[str]) -> None:
    assert paths_of(lines) == paths


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (
            "0::/\n1:name=systemd:/system.slice/cron.service\n",
            Place("cron.service", None, "/system.slice/cron.service"),
        ),
        (f"9:memory:/docker/{HEX}\n1:name=systemd:/\n", Place(None, HEX[:12], f"/docker/{HEX}")),
        (
            "0::/lxc.payload.web\n1:name=systemd:/system.slice/cron.service\n",
            Place("cron.service", "web", "/lxc.payload.web"),
        ),
        ("0::/\n", ROOT),
        ("2:cpu:/\n1:name=systemd:/\n", ROOT),
        (f"0::/{'x' * 2 * PATH_LENGTH}\n", Place(path=f"/{'x' * (PATH_LENGTH - 1)}")),
        ("0::/caf\udce9\n", Place(path="/caf\ufffd")),
        ("rubbish\n", NOWHERE),
        ("", NOWHERE),
    ],
)
def test_what_one_hierarchy_does_not_say_another_may(lines: str, place: Place, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    proc = fake_proc(tmp_path / "proc", cgroup=lines)
    assert Cgroups(Containers(Clock(), tmp_path), proc).of_process(Pid(17)) == place


def cgroup_of_socket(inode: int) -> int:
    """Ask sock_diag, in the slowest and most obvious way, for the cgroup of a listening socket."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:
        netlink.sendto(struct.pack("=IHHII BBBxI48x", 72, 20, 0x301, 1, 0, socket.AF_INET, 6, 0, 1 << 10), (0, 0))
        data = netlink.recv(1 << 16)
        while True:
            length, kind = struct.unpack_from("=IH", data)
            assert kind == 20, "the socket is not there"
            if struct.unpack_from("=I", data, 16 + 68)[0] == inode:
                return attribute(data[16 + 72 : length], 21)
            data = data[(length + 3) & ~3 :] or netlink.recv(1 << 16)


def attribute(data: bytes, wanted: int) -> int:
    while data:
        length, kind = struct.unpack_from("=HH", data)
        if kind == wanted:
            return int(struct.unpack_from("=Q", data, 4)[0])
        data = data[(length + 3) & ~3 :]
    raise AssertionError("no such attribute")
