"""flowtopd.enrich.process.containers: names from the files that runtimes keep, and ids where those say nothing."""

import json
from pathlib import Path

import pytest

from flowtopd.enrich.process.containers import Containers
from tests.flowtopd.enrich.process.agents import Clock

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa99887766554433221100"
OTHER = ID[::-1]
DOCKER = f"var/lib/docker/containers/{ID}/config.v2.json"
PODMAN = "var/lib/containers/storage/overlay-containers/containers.json"
PODMAN_VOLATILE = "var/lib/containers/storage/overlay-containers/volatile-containers.json"


def write(root: Path, path: str, content: str | bytes = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def name(root: Path) -> str:
    return Containers(Clock(), root).name(ID)


def test_docker_keeps_the_name_in_the_container_s_configuration(tmp_path: Path) -> None:
    write(tmp_path, DOCKER, json.dumps({"ID": ID, "Name": "/web", "State": {}}))
    assert name(tmp_path) == "web"


@pytest.mark.parametrize("path", [PODMAN, PODMAN_VOLATILE])
def test_podman_keeps_the_names_of_all_in_one_file(path: str, tmp_path: Path) -> None:
    write(tmp_path, path, json.dumps([{"id": OTHER, "names": ["db"]}, {"id": ID}, {"id": ID, "names": ["web", "www"]}]))
    assert name(tmp_path) == "web"


def test_kubernetes_names_the_log_after_pod_and_container(tmp_path: Path) -> None:
    write(tmp_path, f"var/log/containers/web-7d9f_shop_nginx-{ID}.log")
    write(tmp_path, f"var/log/containers/db-0_shop_postgres-{OTHER}.log")
    assert name(tmp_path) == "shop/web-7d9f/nginx"


def test_without_a_name_the_id_is_cut_as_the_runtimes_cut_it(tmp_path: Path) -> None:
    assert name(tmp_path) == ID[:12]


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"Name": ', "[]", "17", '"text"', '{"Name": 17}', "null", b"\xff\xfe\x00", "[" * 100_000],
)
@pytest.mark.parametrize("path", [DOCKER, PODMAN])
def test_a_broken_file_is_as_good_as_none(path: str, content: str | bytes, tmp_path: Path) -> None:
    write(tmp_path, path, content)
    assert name(tmp_path) == ID[:12]


@pytest.mark.parametrize("content", ['[17, null, {"id": 3}]', f'[{{"id": "{ID}", "names": []}}]', '[{"names": "web"}]'])
def test_odd_records_of_podman_are_skipped(content: str, tmp_path: Path) -> None:
    write(tmp_path, PODMAN, content)
    assert name(tmp_path) == ID[:12]


def test_a_folder_in_the_place_of_a_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / DOCKER).mkdir(parents=True)
    assert name(tmp_path) == ID[:12]


def test_a_name_is_looked_for_once_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    containers = Containers(clock, tmp_path)
    assert containers.name(ID) == ID[:12]
    write(tmp_path, DOCKER, json.dumps({"Name": "/web"}))
    assert containers.name(ID) == ID[:12]
    clock.now += 60.0
    assert containers.name(ID) == "web"
