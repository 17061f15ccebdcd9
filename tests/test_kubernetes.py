"""deploy/: built by kustomize, held against Kubernetes's own schemas, and against the images and the services."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import dockerfiles
import running
from machine_tools import tool
from test_compose import HOST_NAMES, SERVICE_NAMES
from vecmod import __version__
from vecmod.serving.flow.metrics import Metrics
from vecmod.serving.service_settings import ServiceSettings

DEPLOY = dockerfiles.ROOT / "deploy"
# What is not kustomize's own.
FILES = [path for path in sorted(DEPLOY.rglob("*.yaml")) if path.name != "kustomization.yaml"]
Manifest = dict[str, Any]
# Oldest and newest that it is held against.
VERSIONS = ("1.30", "1.36")
# What closing the model may take after the last answer.
LEAVING = 5
BUILT = {
    "cpu": ("overlays/cpu",),
    "gpu": ("overlays/gpu",),
    "cpu, mounted": ("overlays/cpu", "components/mounted-weights"),
    "gpu, fetched": ("overlays/gpu", "components/fetched-weights"),
}


def kustomize(folder: Path) -> list[Manifest]:
    """What is applied; nothing is asked of a cluster."""
    program = tool("kustomize", "kubectl", advice=".ci/kubectl.py FOLDER fetches one")
    command = [program, "build" if program.endswith("kustomize") else "kustomize", str(folder)]
    here = {"PATH": os.environ["PATH"], "KUBECONFIG": os.devnull}
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=BUILT)
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    overlay, *components = BUILT[request.param]
    if not components:
        return kustomize(DEPLOY / overlay)
    folder = tmp_path_factory.mktemp("overlay")
    said = {
        "resources": [os.path.relpath(DEPLOY / overlay, folder)],
        "components": [os.path.relpath(DEPLOY / one, folder) for one in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(said))
    return kustomize(folder)


def of(objects: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def pods(objects: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, pod and container of each deployment."""
    for name, one in of(objects, "Deployment").items():
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield name, pod, container


def labels_of(objects: list[Manifest], name: str) -> dict[str, str]:
    labels: dict[str, str] = of(objects, "Deployment")[name]["spec"]["template"]["metadata"]["labels"]
    return labels


def environment(objects: list[Manifest], container: Manifest) -> dict[str, str]:
    """Values; of what the cluster fills in, a number that it could be."""
    (source,) = container["envFrom"]
    shared: dict[str, str] = of(objects, "ConfigMap")[source["configMapRef"]["name"]]["data"]
    return shared | {one["name"]: one.get("value", "2") for one in container["env"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_each_file_is_what_it_says(path: Path, version: str) -> None:
    """As they lie there, which needs no kustomize."""
    for one in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_would_take_them(objects: list[Manifest], version: str) -> None:
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)


def test_each_service_has_what_it_needs(objects: list[Manifest]) -> None:
    names = set(dockerfiles.SERVICES)
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert of(objects, kind).keys() == names
    assert {one["metadata"].get("namespace") for one in objects if one["kind"] != "Namespace"} == {"vecmod"}
    for name in names:
        labels = labels_of(objects, name)
        deployment, service = of(objects, "Deployment")[name], of(objects, "Service")[name]
        budget = of(objects, "PodDisruptionBudget")[name]
        selectors = [
            deployment["spec"]["selector"]["matchLabels"],
            service["spec"]["selector"],
            budget["spec"]["selector"]["matchLabels"],
        ]
        for selector in selectors:
            assert selector.items() <= labels.items()
            assert [other for other in names if selector.items() <= labels_of(objects, other).items()] == [name]


def test_the_autoscaler_counts_what_there_is(objects: list[Manifest]) -> None:
    scalers = of(objects, "HorizontalPodAutoscaler")
    gpu = any("nvidia.com/gpu" in container["resources"]["limits"] for _, _, container in pods(objects))
    assert scalers.keys() == (set() if gpu else set(dockerfiles.SERVICES))
    for name, one in scalers.items():
        assert one["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        # It would be overwritten with every apply.
        assert "replicas" not in of(objects, "Deployment")[name]["spec"]
    (metric,) = re.findall(r"# +metric: \{ name: (\w+) }", (DEPLOY / "service/autoscaler.yaml").read_text())
    metrics = Metrics()
    metrics.watch_queue("image", lambda: 3.0)
    assert f'{metric}{{modality="image"}} 3.0' in metrics.render().decode()


def test_budgets_let_nodes_be_emptied(objects: list[Manifest]) -> None:
    for name, one in of(objects, "PodDisruptionBudget").items():
        scaler = of(objects, "HorizontalPodAutoscaler").get(name)
        least = scaler["spec"]["minReplicas"] if scaler else of(objects, "Deployment")[name]["spec"]["replicas"]
        assert one["spec"].get("minAvailable", 0) < least
        assert one["spec"].get("maxUnavailable", 1) >= 1


def test_pods_are_locked_in(objects: list[Manifest]) -> None:
    (namespace,) = of(objects, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod, container in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert str(pod["securityContext"]["runAsUser"]) == dockerfiles.the_last(dockerfiles.SERVICES[name], "USER")
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_what_is_written_goes_to_a_volume(objects: list[Manifest]) -> None:
    for name, pod, container in pods(objects):
        target = "gpu" if container["image"].endswith("-gpu") else ""
        _, there = dockerfiles.variables(dockerfiles.SERVICES[name], target, {})
        places = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in places.values()} == {volume["name"] for volume in pod["volumes"]}
        assert "/tmp" in places  # noqa: S108 -- the container's
        fetches = environment(objects, container).get("VECMOD_OFFLINE") == "0"
        assert (there["VECMOD_CACHE_DIR"] in places) == fetches
        for place in places.keys() - {"/tmp", "/var/cache/vecmod"}:  # noqa: S108 -- as above
            assert there["VECMOD_MODEL_PATH"].startswith(f"{place}/")
        expanded = {mount["subPathExpr"] for mount in places.values() if "subPathExpr" in mount}
        assert expanded <= {f"$({one['name']})" for one in container["env"]}


def test_images_are_those_of_this_version(objects: list[Manifest]) -> None:
    for name, _, container in pods(objects):
        gpu = "nvidia.com/gpu" in container["resources"]["limits"]
        assert container["image"] == f"vecmod/{name}:{__version__}" + ("-gpu" if gpu else "")


def test_every_variable_means_something(objects: list[Manifest]) -> None:
    for _, pod, container in pods(objects):
        given = environment(objects, container)
        assert given.keys() - {"SERVICE"} <= SERVICE_NAMES
        assert not given.keys() & (HOST_NAMES - SERVICE_NAMES)
        settings = ServiceSettings.read(given)
        assert settings.threads == 2
        assert pod["terminationGracePeriodSeconds"] >= settings.drain_delay + settings.drain_timeout + LEAVING
        # A pod is left alone for as long as its node needs to see that it is not ready.
        ready = container["readinessProbe"]
        assert settings.drain_delay > ready["periodSeconds"] * ready["failureThreshold"]


def test_probes_ask_what_is_answered(objects: list[Manifest], service: running.Caller) -> None:
    for _, _, container in pods(objects):
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            said = container[probe]["httpGet"]
            assert ports[said["port"]] == ServiceSettings.read({}).port
            assert service("GET", said["path"]).status == 204
        scraped = next(iter(of(objects, "Deployment").values()))["spec"]["template"]["metadata"]["annotations"]
        assert service("GET", scraped["prometheus.io/path"]).status == 200
        assert int(scraped["prometheus.io/port"]) in ports.values()


def test_who_may_call_whom(objects: list[Manifest]) -> None:
    policies = of(objects, "NetworkPolicy")
    for name in dockerfiles.SERVICES:
        for one in policies.values():
            assert one["spec"]["podSelector"]["matchLabels"].items() <= labels_of(objects, name).items()
    closed = policies["vecmod"]["spec"]
    assert closed["egress"] == []
    (rule,) = closed["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    fetches = any(environment(objects, container).get("VECMOD_OFFLINE") == "0" for _, _, container in pods(objects))
    assert ("vecmod-fetch" in policies) == fetches


def test_volumes_are_claimed(objects: list[Manifest]) -> None:
    claims = of(objects, "PersistentVolumeClaim")
    for _, pod, _ in pods(objects):
        named = [one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "persistentVolumeClaim" in one]
        assert named == list(claims)
