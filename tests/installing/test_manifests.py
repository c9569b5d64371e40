"""Files for Docker and Kubernetes: their own linters take them, and what they set is what there is."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mega_collector import __version__
from mega_collector.settings import AggregatorSettings, CollectorSettings
from mega_collector.settings.declaration import declared
from mega_collector.settings.pem import PEM

PACKAGING = Path(__file__).parents[2] / "packaging"
DOCKERFILE = PACKAGING / "docker" / "Dockerfile"
COMPOSE = PACKAGING / "docker" / "compose.yaml"
KUBERNETES = sorted((PACKAGING / "kubernetes").iterdir())
SETTINGS = {each.variable: each for half in (AggregatorSettings, CollectorSettings) for each in declared(half)}
ASSIGNED = re.compile(r"^(?:#|Environment=|ENV |    )?((?:AGGREGATOR|COLLECTOR)_[A-Z_]+)=(.*?)(?: \\)?$", re.MULTILINE)


def _documents() -> Iterator[dict[str, Any]]:
    for path in KUBERNETES:
        yield from yaml.safe_load_all(path.read_text())


def _workloads() -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in _documents() if "template" in each.get("spec", {})]


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def _containers() -> Iterator[dict[str, Any]]:
    return (container for workload in _workloads() for container in workload["containers"])


def _assigned() -> Iterator[tuple[str, str, str]]:
    """Every variable of the product's that any of the files sets, or shows how to."""
    for path in (DOCKERFILE, *sorted((PACKAGING / "systemd").iterdir())):
        for name, text in ASSIGNED.findall(path.read_text()):
            yield path.name, name, "".join(shlex.split(text))
    for container in _containers():
        for variable in container["env"]:
            if variable["name"] != "NODE":
                yield f"pod {container['name']}", variable["name"], variable["value"]
    for name, service in _services().items():
        for variable, text in service["environment"].items():
            yield f"compose {name}", variable, text


@pytest.mark.parametrize(("where", "variable", "text"), list(_assigned()))
def test_every_variable_is_a_setting_and_its_value_is_allowed(where: str, variable: str, text: str) -> None:
    assert variable in SETTINGS, where
    if SETTINGS[variable].kind is not PEM:
        SETTINGS[variable].kind.parse(text.replace("%S", "/var/lib"))


def test_each_file_sets_something() -> None:
    assert len({where for where, _, _ in _assigned()}) == 12


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_the_manifests_fit_the_schemas_of_kubernetes(path: Path) -> None:
    validate = Path(sys.executable).with_name("kubernetes-validate")
    ended = subprocess.run([validate, "--strict", path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_image_is_linted() -> None:
    lint = Path(sys.executable).with_name("hadolint")
    if not lint.exists():
        pytest.skip("there is no hadolint for this kind of machine")
    ended = subprocess.run([lint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_every_image_is_of_this_version() -> None:
    images = [each["image"] for each in (*_containers(), *_services().values())]
    assert set(images) == {f"mega-collector:{__version__}"}


def test_nothing_runs_with_more_than_it_needs() -> None:
    for container in _containers():
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"].pop("drop") == ["ALL"]
        assert security["capabilities"] == ({"add": ["DAC_READ_SEARCH"]} if container["args"] == ["collector"] else {})
    for service in _services().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add", ["DAC_READ_SEARCH"]) == ["DAC_READ_SEARCH"]


def test_what_is_kept_lies_on_volumes() -> None:
    for workload in _workloads():
        (container,) = workload["containers"]
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in workload["volumes"]}
        for variable in container["env"]:
            if variable["name"].endswith(("STATE_DIRECTORY", "FILE_CONFIGURATION")):
                assert _is_writable(variable["value"], mounts)


def _is_writable(path: str, mounts: dict[str, dict[str, Any]]) -> bool:
    found = [mounts[str(each)] for each in (Path(path), *Path(path).parents) if str(each) in mounts]
    return bool(found) and not found[0].get("readOnly", False)


def test_the_volumes_of_compose_are_declared() -> None:
    declared_there = yaml.safe_load(COMPOSE.read_text())["volumes"]
    used = {volume.split(":")[0] for service in _services().values() for volume in service["volumes"]}
    assert used == set(declared_there)


def test_a_copied_file_is_there_and_not_ignored() -> None:
    root, ignore = PACKAGING.parent, (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        assert (root / name).exists()
        assert f"!{name}" in ignore
