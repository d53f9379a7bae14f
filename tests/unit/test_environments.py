"""envs/: pins are the project's own, and every rule that runs a script names one of the environments."""

import importlib.machinery
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
NAMES = ("cpu", "gpu", "blender")
# What is computed instead of a path
COMPUTED = {"NETWORKS", "render_environment"}


def pins(text):
    """Return {normalised name: version} of all `name==version` in a text."""
    found = re.findall(r"^\s*([\w.-]+)==([\w.+]+)", text, re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def requirements(name="requirements.txt"):
    return pins((ROOT / name).read_text())


def environment(name):
    """Return (conda packages, lines for pip) of an environment."""
    content = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert set(content) == {"name", "channels", "dependencies"}
    (by_pip,) = [d["pip"] for d in content["dependencies"] if isinstance(d, dict)]
    return [d for d in content["dependencies"] if isinstance(d, str)], by_pip


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_is_the_projects_own_and_none_is_missing(name):
    conda, by_pip = environment(name)
    assert pins("\n".join(by_pip)) == requirements()
    with open(ROOT / "pyproject.toml", "rb") as file:
        python = tomllib.load(file)["project"]["requires-python"]
    assert conda == [f"python={python.removeprefix('==').removesuffix('.*')}", "pip"]


def test_what_the_project_names_is_pinned():
    lines = (ROOT / "requirements.in").read_text().splitlines()
    named = {re.sub(r"[-_.]+", "-", n).lower() for n in lines if n and not n.startswith("#")}
    assert named <= requirements().keys()


def test_only_the_environment_of_networks_has_the_index_own_torch():
    options = {name: [p for p in environment(name)[1] if p.startswith("-")] for name in NAMES}
    cpu = ["--extra-index-url https://download.pytorch.org/whl/cpu"]
    assert options == {"cpu": cpu, "gpu": [], "blender": cpu}


def test_the_files_are_what_their_writer_writes():
    spec = importlib.util.spec_from_file_location("writer", ROOT / "setup/write_environments.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    for name in NAMES:
        text = writer.environment(name, ROOT / "requirements.txt")
        assert (ROOT / f"envs/{name}.yaml").read_text() == text, "run setup/write_environments.py"


def test_blenders_own_python_has_the_pins_of_its_requirements():
    script = (ROOT / "envs/blender.post-deploy.sh").read_text()
    assert pins(script) == requirements("requirements-blender.txt")


def rules_with_scripts():
    """Return {rule: value of `conda`, None where there is none} of all rules that run a script."""
    found = {}
    for path in RULES:
        for part in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M):
            name = re.match(r"rule (\w+)", part)
            if name and re.search(r"^    script:", part, re.M):
                value = re.search(r"^    conda:\n        (.+)$", part, re.M)
                found[name[1]] = value and value[1]
    return found


def test_every_rule_that_runs_a_script_names_its_environment():
    found = rules_with_scripts()
    assert len(found) > 15
    assert [name for name, value in found.items() if value is None] == []
    text = "".join(path.read_text() for path in RULES)
    assert COMPUTED == {v for v in found.values() if not v.startswith('"')}
    paths = {v.strip('"') for v in found.values() if v.startswith('"')}
    computed = re.findall(r'"(\.\./\.\./envs/\w+\.yaml)"', text)
    assert computed, "nothing computes an environment"
    for path in {*paths, *computed}:  # relative to the file of the rule
        assert (ROOT / "workflow/rules" / path).resolve().is_file(), path
    networks = {"feature", "latents", "mask", "depth", "train", "pair", "decode", "sample"}
    assert {n for n, v in found.items() if v == "NETWORKS"} == networks


def test_scripts_find_the_package_where_nothing_is_installed():
    """Snakemake puts a script's folder on the path; conda environments have no PYTHONPATH."""
    spec = importlib.machinery.PathFinder.find_spec("semcorr", [str(ROOT / "workflow/scripts")])
    assert Path(spec.origin).resolve() == ROOT / "src/semcorr/__init__.py"


def packages(text):
    """Return the Debian packages that a recipe installs."""
    (command,) = re.findall(r"apt-get install -y --no-install-recommends((?:.*\\\n)*.*)", text)
    return set(shlex.split(command.replace("\\\n", " ").split("&&")[0]))


def test_both_container_recipes_install_the_same():
    docker = (ROOT / "envs/Dockerfile").read_text()
    apptainer = (ROOT / "envs/semcorr.def").read_text()
    base = "python:3.11-slim-bookworm"
    assert f"FROM {base}\n" in docker and f"From: {base}\n" in apptainer
    assert packages(docker) == packages(apptainer)
    for text in (docker, apptainer):
        for name in ("requirements.txt", "requirements-blender.txt"):
            assert f"-r {name}" in text
        assert not pins(text), "pins belong into the requirements"


def test_what_containers_copy_is_there_and_what_is_large_is_left_out():
    docker = (ROOT / "envs/Dockerfile").read_text()
    sources = [f for line in re.findall(r"^COPY (.+) \S+$", docker, re.M) for f in line.split()]
    section = (ROOT / "envs/semcorr.def").read_text().split("%files\n")[1].split("\n%")[0]
    sources += [line.split()[0] for line in section.splitlines() if line.strip()]
    assert len(sources) > 8
    assert [name for name in sources if not (ROOT / name).exists()] == []
    ignored = (ROOT / "envs/Dockerfile.dockerignore").read_text().split()
    assert {".venv", ".venv-blender", "results", ".snakemake"} <= set(ignored)


def test_containers_have_the_libraries_that_set_up_looks_for():
    """All that a container installs is known to the set-up script, or is a tool or a driver."""
    spec = importlib.util.spec_from_file_location("libraries", ROOT / "setup/shared_libraries.py")
    libraries = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(libraries)
    known = {v for value in vars(libraries).values() if isinstance(value, dict) for v in value.values()
             if isinstance(v, str)}  # fmt: skip
    installed = packages((ROOT / "envs/Dockerfile").read_text())
    assert installed - known == {"make", "libgl1-mesa-dri"}
