r"""What a cgroup's path says about who runs in it: a systemd unit, a container. Pure.

    /system.slice/nginx.service                                  unit nginx.service
    /user.slice/…/user@1000.service/app.slice/app-firefox.scope  unit app-firefox.scope
    /system.slice/docker-<64 hex>.scope                          container of docker
    /lxc.payload.web/system.slice/cron.service                   container web, unit cron.service

The *unit* is the innermost one, as systemd writes it (`\x2d` and all). The scope that a container runtime makes is not
called a unit: the container says it better. An `init.scope` inside another unit is that unit's own manager.

The *container* is the outermost one: that is the one that this host's tools list. Its name stands in the path (lxc,
nspawn), or only its id does (docker, podman, containerd, CRI-O), and `containers` may know the name for it.
"""

import re
from dataclasses import dataclass
from typing import Final

_ID = r"(?P<id>[0-9a-f]{64})"

_RUNTIME_SCOPE: Final = re.compile(rf"(?:[a-z][a-z0-9_.]*-)+{_ID}\.scope")
"""docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope, nerdctl-ID.scope."""

_MONITOR_SCOPE: Final = re.compile(rf"[a-z]+-conmon-{_ID}\.scope")
"""What watches a container of podman or CRI-O, from outside."""

_BARE: Final = re.compile(rf"(?:[^/]*:[a-z-]+:|libpod-|crio-)?{_ID}")
"""/docker/ID, /kubepods/burstable/podUID/ID, and SLICE:cri-containerd:ID where the cgroup drivers disagree."""

_POD: Final = re.compile(
    r"(?:kubepods.*-)?pod(?P<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?"
)
_LXC: Final = re.compile(r"lxc\.payload\.(?P<name>.+)")
_NSPAWN: Final = re.compile(r"systemd-nspawn@(?P<name>.+)\.service")
_MACHINE: Final = re.compile(r"machine-(?P<name>.+)\.scope")
_UNIT: Final = re.compile(r".+\.(?:service|scope|socket|mount|swap)")
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")

_LXC_FOLDERS: Final = frozenset(("lxc", "lxc.payload"))
_INIT_SCOPE: Final = "init.scope"
_DELETED: Final = " (deleted)"


@dataclass(frozen=True, slots=True)
class CgroupName:
    """What a path says. At most one of `container` (a name) and `container_id` (64 hex digits) is there."""

    unit: str | None = None
    container: str | None = None
    container_id: str | None = None


def name_of(path: str) -> CgroupName:
    """Read the name off a path as /proc/PID/cgroup gives it."""
    unit = container = container_id = None
    parts = path.removesuffix(_DELETED).split("/")
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        found = None
        if container is None and container_id is None:
            container, container_id = _container(before, part, after)
            found = container_id
        if found is None and _UNIT.fullmatch(part) and not (unit and part == _INIT_SCOPE):
            # systemd puts a _ before names that the kernel's own files could have (cg_escape)
            unit = part.removeprefix("_")
    return CgroupName(unit, container, container_id)


def pod_of(path: str) -> str | None:
    """The uid of the Kubernetes pod in a path."""
    for part in path.split("/"):
        if matched := _POD.fullmatch(part):
            return matched["uid"].replace("_", "-")
    return None


def _container(before: str, part: str, after: str) -> tuple[str | None, str | None]:
    """The name or the id of the container that this part of a path begins."""
    if not _MONITOR_SCOPE.fullmatch(part) and (matched := _RUNTIME_SCOPE.fullmatch(part) or _BARE.fullmatch(part)):
        return None, matched["id"]
    if before in _LXC_FOLDERS:
        return part, None
    if matched := _LXC.fullmatch(part) or _MACHINE.fullmatch(part):
        return _unescaped(matched["name"]), None
    # nspawn itself runs in .../supervisor, beside the .../payload
    if (matched := _NSPAWN.fullmatch(part)) and after != "supervisor":
        return _unescaped(matched["name"]), None
    return None, None


def _unescaped(name: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), name)
