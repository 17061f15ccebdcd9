"""docker-compose.yml: read by docker-compose itself, and held against settings, Dockerfiles and the files there are."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import dockerfiles
from machine_tools import tool
from vecmod.contract.environment import OUR_VARIABLES
from vecmod.explore.explore_settings import ExploreSettings
from vecmod.host.catalog import known_modules
from vecmod.host.host_settings import HostSettings, parse_duration
from vecmod.host.stores.store_url import parse_weaviate_url
from vecmod.serving.service_settings import ServiceSettings

ROOT = dockerfiles.ROOT
FILES = ("docker-compose.yml", "docker-compose.gpu.yml")
PROFILES = ("weaviate", "milvus", "typesense", "tidb")
Services = dict[str, dict[str, Any]]
SERVICE_NAMES = {str(field.alias) for field in ServiceSettings.model_fields.values()}
HOST_NAMES = {str(field.alias) for field in HostSettings.model_fields.values()} | {
    name for row in known_modules().values() for name in (row.origin_variable, row.wait_variable)
}
EXPLORE_NAMES = {str(field.alias) for field in ExploreSettings.model_fields.values()}
BASE_IMAGE = re.compile(r"[\w./-]+:(?!latest\b)[\w.-]*\d[\w.-]*|vecmod/[\w-]+:(local|gpu)")


def merged(*files: str, profiles: tuple[str, ...] = PROFILES) -> Services:
    """What docker-compose makes of them, with no variable set."""
    program = tool("docker-compose", advice="apt-get install docker-compose")
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    named = [part for file in files for part in ("-f", file)]
    # Nor with what somebody wrote into .env.
    with tempfile.NamedTemporaryFile() as nothing:
        command = [program, "--env-file", nothing.name, *named, *chosen, "config"]
        clean = {"PATH": os.environ["PATH"]}
        done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    services: Services = yaml.safe_load(done.stdout)["services"]
    return services


@pytest.fixture(scope="module", params=[FILES[:1], FILES], ids=["cpu", "gpu"])
def services(request: pytest.FixtureRequest) -> Services:
    return merged(*request.param)


def ours(services: Services) -> Services:
    return {name: one for name, one in services.items() if "build" in one}


def dockerfile(service: dict[str, Any]) -> Path:
    build: dict[str, str] = service["build"]
    assert Path(build["context"]).resolve() == ROOT
    return ROOT / build["dockerfile"]


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_each_profile_is_whole(profile: str | None) -> None:
    """The services, the explorer and, with a profile, its database and an explorer on it; nobody waits for others."""
    found = merged(FILES[0], profiles=(profile,) if profile else ())
    always = {name for name, one in found.items() if "profiles" not in one}
    assert always == {*dockerfiles.SERVICES, "explore"}
    own = {name for name, one in found.items() if one.get("profiles") == [profile]}
    assert {profile, f"explore-{profile}"} <= own if profile else not own
    for name in always | own:
        assert found[name].get("depends_on", {}).keys() <= always | own, name


def test_they_start_in_order(services: Services) -> None:
    """Whoever waits waits for health, and there is no circle."""
    for one in services.values():
        assert {said["condition"] for said in one.get("depends_on", {}).values()} <= {"service_healthy"}
    started: set[str] = set()
    while started != set(services):
        next_ones = {name for name, one in services.items() if one.get("depends_on", {}).keys() <= started} - started
        assert next_ones
        started |= next_ones
    assert services["milvus"]["depends_on"].keys() == {"etcd", "minio"}
    for name in PROFILES:
        assert services[f"explore-{name}"]["depends_on"].keys() == {*dockerfiles.SERVICES, name}


def test_each_is_watched_bounded_and_started_again(services: Services) -> None:
    for name, one in services.items():
        assert one["restart"] == "unless-stopped", name
        assert re.fullmatch(r"\d+g", str(one["mem_limit"])), name
        own = "build" in one and "HEALTHCHECK" in dockerfile(one).read_text()
        assert own or one["healthcheck"]["test"][0] == "CMD", name
        assert "stop_grace_period" in one, name


def test_nothing_but_this_machine_gets_in(services: Services) -> None:
    published = [port for one in services.values() for port in one.get("ports", [])]
    places = [port.rpartition(":")[0] for port in published]
    assert [place for place in places if not place.startswith("127.0.0.1:")] == []
    assert len(set(places)) == len(places) >= 10


def test_images_are_pinned(services: Services) -> None:
    for name, one in services.items():
        assert BASE_IMAGE.fullmatch(one["image"]), name


def test_what_is_built_is_there_and_takes_its_arguments(services: Services) -> None:
    assert {dockerfile(one) for one in ours(services).values()} == set(dockerfiles.ALL.values())
    for one in ours(services).values():
        path = dockerfile(one)
        assert one["build"].get("args", {}).keys() <= dockerfiles.build_args(path)
        target = one["build"].get("target", "")
        assert dockerfiles.stage(path, target).steps
        assert one["image"].endswith(":gpu") == (target == "gpu")


def test_ours_are_locked_in(services: Services) -> None:
    for name, one in ours(services).items():
        assert (one["read_only"], one["cap_drop"], one["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])
        _, set_there = dockerfiles.variables(dockerfile(one), one["build"].get("target", ""), {})
        # The root file system cannot be written to: what is written goes to a volume or to memory.
        places = [volume.split(":")[1] for volume in one.get("volumes", [])] + ["/tmp"]  # noqa: S108 -- the container's
        for variable in ("VECMOD_CACHE_DIR", "VECMOD_STORE", "VECMOD_EXPLORE_FOLDER"):
            assert variable not in set_there or set_there[variable].startswith(tuple(places)), name


def test_every_variable_means_something(services: Services) -> None:
    for name, one in services.items():
        given = {key: str(value) for key, value in (one.get("environment") or {}).items()}
        if name in dockerfiles.SERVICES:
            assert given.keys() <= SERVICE_NAMES
            settings = ServiceSettings.read(given)
            patience = parse_duration(one["stop_grace_period"])
            assert isinstance(patience, float)
            assert patience > settings.drain_delay + settings.drain_timeout
        elif name.startswith("explore"):
            assert given.keys() <= HOST_NAMES | EXPLORE_NAMES
            host = HostSettings.read(given)
            assert set(host.enable_modules) == set(dockerfiles.SERVICES)
            for module in host.enable_modules:
                assert given[known_modules()[module].origin_variable] == f"http://{module}:8080"
        else:
            assert not [key for key in given if key.startswith("VECMOD_") or key in OUR_VARIABLES]


def test_weaviate_is_told_what_its_documentation_says(services: Services) -> None:
    given = services["weaviate"]["environment"]
    assert set(given["ENABLE_MODULES"].split(",")) == set(dockerfiles.SERVICES)
    for module in dockerfiles.SERVICES:
        assert given[known_modules()[module].origin_variable] == f"http://{module}:8080"
    assert {"PERSISTENCE_DATA_PATH", "CLUSTER_HOSTNAME", "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"} <= given.keys()


def test_explorers_ask_the_databases_that_are_there(services: Services) -> None:
    """Each URL is one that the host understands, and names a service of that profile and the port it listens on."""
    ports = {"weaviate": "8080", "milvus": "19530", "typesense": "8108", "tidb": "4000"}
    for name in PROFILES:
        explorer = services[f"explore-{name}"]
        url = explorer["environment"]["VECMOD_STORE"]
        assert re.search(rf"\b{name}:{ports[name]}\b", url)
        inside = {port.rpartition(":")[2].partition("/")[0] for port in services[name]["ports"]}
        assert ports[name] in inside
    key = services["explore-typesense"]["environment"]["VECMOD_STORE_KEY"]
    assert key == services["typesense"]["environment"]["TYPESENSE_API_KEY"]
    parse_weaviate_url(services["explore-weaviate"]["environment"]["VECMOD_STORE"])


def test_volumes_have_names_and_folders_of_their_user(services: Services) -> None:
    for name, one in services.items():
        for volume in one.get("volumes", []):
            source, place = volume.removesuffix(":rw").split(":")
            assert re.fullmatch(r"[a-z0-9-]+", source), name
            made = "build" not in one or f"--owner=vecmod {place}" in dockerfile(one).read_text()
            assert made, f"{name}: nobody but root could write to {place}"


def test_variables_of_compose_are_listed() -> None:
    named = {name for file in FILES for name in re.findall(r"\$\{(\w+)", (ROOT / file).read_text())}
    example = dict(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named <= example.keys()
    bare = [one for file in FILES for one in re.findall(r"\$\{\w+\}|\$[A-Z]\w*", (ROOT / file).read_text())]
    assert bare == []
