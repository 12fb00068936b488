"""flowtopd.enrich.process.cgroup_name: paths as they are found on real hosts."""

import pytest

from flowtopd.enrich.process.cgroup_name import CgroupName, name_of, pod_of

HEX = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa99887766554433221100"
POD = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
POD_ = POD.replace("-", "_")

UNITS = {
    "/system.slice/nginx.service": "nginx.service",
    "/system.slice/system-getty.slice/getty@tty1.service": "getty@tty1.service",
    "/system.slice/foo@bar.service": "foo@bar.service",
    "/system.slice/dev-disk\\x2dby.service": "dev-disk\\x2dby.service",
    "/system.slice/my\\x2dapp.service/worker/3": "my\\x2dapp.service",
    "/system.slice/_cpu.service": "cpu.service",
    "/system.slice/docker.service": "docker.service",
    "/system.slice/dbus.socket": "dbus.socket",
    "/system.slice/srv-data.mount": "srv-data.mount",
    "/init.scope": "init.scope",
    "/user.slice/user-1000.slice/session-3.scope": "session-3.scope",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-4711.scope": "app-firefox-4711.scope",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service": "syncthing.service",
    "/user.slice/user-1000.slice/user@1000.service/init.scope": "user@1000.service",
    f"/machine.slice/libpod-conmon-{HEX}.scope": f"libpod-conmon-{HEX}.scope",
    "/machine.slice/systemd-nspawn@web.service/supervisor": "systemd-nspawn@web.service",
    "/system.slice/gone.service (deleted)": "gone.service",
    "/../../system.slice/cron.service": "cron.service",
}

NAMED = {
    "/lxc.payload.web": ("web", None),
    "/lxc.payload.web/system.slice/cron.service": ("web", "cron.service"),
    "/lxc.payload/old-web": ("old-web", None),
    "/lxc/101/ns/init.scope": ("101", "init.scope"),
    f"/lxc/101/ns/system.slice/docker-{HEX}.scope": ("101", f"docker-{HEX}.scope"),
    "/machine.slice/systemd-nspawn@web.service/payload": ("web", "systemd-nspawn@web.service"),
    "/machine.slice/systemd-nspawn@my\\x2dweb.service/payload/init.scope": (
        "my-web",
        "systemd-nspawn@my\\x2dweb.service",
    ),
    "/machine.slice/systemd-nspawn@web.service/payload/system.slice/sshd.service": ("web", "sshd.service"),
    "/machine.slice/machine-build.scope": ("build", "machine-build.scope"),
    "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope": ("qemu-1-vm", "machine-qemu\\x2d1\\x2dvm.scope"),
}

BY_ID = {
    f"/system.slice/docker-{HEX}.scope": None,
    f"/docker/{HEX}": None,
    f"/actions_job/{HEX}": None,
    f"/system.slice/docker-{HEX}.scope/system.slice/nginx.service": "nginx.service",
    f"/machine.slice/libpod-{HEX}.scope": None,
    f"/machine.slice/libpod-{HEX}.scope/container": None,
    f"/libpod_parent/libpod-{HEX}": None,
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{HEX}.scope/container": "user@1000.service",
    f"/default/{HEX}": None,
    f"/system.slice/nerdctl-{HEX}.scope": None,
    f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice/cri-containerd-{HEX}.scope": None,
    f"/kubepods.slice/kubepods-pod{POD_}.slice/crio-{HEX}.scope": None,
    f"/kubepods/besteffort/pod{POD}/{HEX}": None,
    f"/system.slice/containerd.service/kubepods-pod{POD_}.slice:cri-containerd:{HEX}": "containerd.service",
}

NEITHER = [
    "",
    "/",
    "/system.slice",
    "/user.slice/user-1000.slice",
    "/lxc.monitor.web",
    "/docker",
    f"/{HEX[:63]}",
    f"/docker/{HEX[:12]}",
    "/.service",
]


@pytest.mark.parametrize(("path", "unit"), UNITS.items())
def test_the_innermost_unit_is_the_unit(path: str, unit: str) -> None:
    assert name_of(path) == CgroupName(unit=unit)


@pytest.mark.parametrize(("path", "expected"), NAMED.items())
def test_the_name_of_a_container_stands_in_its_path(path: str, expected: tuple[str, str | None]) -> None:
    container, unit = expected
    assert name_of(path) == CgroupName(unit=unit, container=container)


@pytest.mark.parametrize(("path", "unit"), BY_ID.items())
def test_a_container_is_told_by_its_id(path: str, unit: str | None) -> None:
    assert name_of(path) == CgroupName(unit=unit, container_id=HEX)


@pytest.mark.parametrize("path", NEITHER)
def test_other_paths_say_nothing(path: str) -> None:
    assert name_of(path) == CgroupName()


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/cri-containerd-{HEX}.scope",
        f"/kubepods/burstable/pod{POD}/{HEX}",
        f"/kubepods.slice/kubepods-pod{POD_}.slice",
    ],
)
def test_a_pod_is_told_by_its_uid(path: str) -> None:
    assert pod_of(path) == POD


@pytest.mark.parametrize("path", ["/", "/system.slice/podman.service", f"/docker/{HEX}", "/pod-of-whales"])
def test_other_paths_have_no_pod(path: str) -> None:
    assert pod_of(path) is None
