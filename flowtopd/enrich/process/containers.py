"""The name that a container runtime gave to a container, by its id, from the files it keeps. Without a name: the id.

    docker       /var/lib/docker/containers/ID/config.v2.json                        "Name": "/web"
    podman       /var/lib/containers/storage/overlay-containers/containers.json      [{"id": …, "names": ["web"]}]
                 …/volatile-containers.json, of those that go when they end
    Kubernetes   /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log                  NAMESPACE/POD/CONTAINER

Of podman and docker without root (below a home directory) only the id is told. A file that cannot be read, or holds
something else, is as good as none. A name is looked for once a minute at most.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flowtopd.enrich.process.recent import Recent

SHORT: Final = 12
"""Digits of an id, as every runtime's tools print it."""

_AGAIN_S: Final = 60.0
_KNOWN: Final = 1024
_FILE_BYTES: Final = 4 << 20
_KUBERNETES_LOG: Final = re.compile(r"(?P<pod>[^_]+)_(?P<namespace>[^_]+)_(?P<container>.+)-[0-9a-f]{64}\.log")


class Containers:
    """Knows names by ids, and remembers them."""

    def __init__(self, clock: Callable[[], float], root: Path = Path("/")) -> None:
        self._clock = clock
        self._docker = root / "var/lib/docker/containers"
        self._podman = root / "var/lib/containers/storage/overlay-containers"
        self._kubernetes = root / "var/log/containers"
        self._names: Recent[str, tuple[str, float]] = Recent(_KNOWN)

    def name(self, container_id: str) -> str:
        """The name, else the first digits of the id."""
        now = self._clock()
        name, until_s = self._names.get(container_id, ("", 0.0))
        if now < until_s:
            return name
        name = self._look(container_id) or container_id[:SHORT]
        self._names[container_id] = (name, now + _AGAIN_S)
        return name

    def _look(self, container_id: str) -> str | None:
        # CRI-O keeps its containers where podman does; what Kubernetes calls them is the better name
        return self._of_docker(container_id) or self._of_kubernetes(container_id) or self._of_podman(container_id)

    def _of_docker(self, container_id: str) -> str | None:
        match _load(self._docker / container_id / "config.v2.json"):
            case {"Name": str(name)}:
                return name.removeprefix("/")
        return None

    def _of_podman(self, container_id: str) -> str | None:
        for file in ("containers.json", "volatile-containers.json"):
            match _load(self._podman / file):
                case [*containers]:
                    for container in containers:
                        match container:
                            case {"id": str(found), "names": [str(name), *_]} if found == container_id:
                                return name
        return None

    def _of_kubernetes(self, container_id: str) -> str | None:
        try:
            logs = list(self._kubernetes.glob(f"*-{container_id}.log"))
        except OSError:
            return None
        for log in logs:
            if matched := _KUBERNETES_LOG.fullmatch(log.name):
                return f"{matched['namespace']}/{matched['pod']}/{matched['container']}"
        return None


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_FILE_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
