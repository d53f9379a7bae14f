"""The house: imports run one way, files and functions stay small, scripts stay thin."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/semcorr"
FLOORS = [
    {"errors", "seeds", "fingerprint"},
    {"config", "store", "assets"},
    {"geometry", "cameras", "datasets"},
    {"rendering", "networks"},
    {"features", "imaging"},
    {"matching", "transfer", "evaluation", "report", "training", "priors"},
    {"stages", "planning"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
MODULES = sorted(p for p in SOURCE.rglob("*.py") if p.name != "__init__.py" or p.parent != SOURCE)


def part_of(path):
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module if node.module != "semcorr" else f"semcorr.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_never_climb(path):
    for name in imported(path):
        if name.startswith("semcorr."):
            other = name.split(".")[1]
            assert FLOOR[other] <= FLOOR[part_of(path)], f"{path} imports {name}, a higher floor"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno <= 60, f"{path}:{node.lineno} {node.name}"


def test_only_the_blender_worker_imports_bpy_and_nobody_imports_it():
    for path in MODULES:
        names = set(imported(path))
        if path.name == "blender_worker.py":
            assert not any(n.startswith("semcorr") for n in names)
            assert "GPL-3.0-or-later" in path.read_text()[:300]
        else:
            assert not any(n == "bpy" or n.startswith("bpy.") for n in names), path
            assert not any("blender_worker" in n for n in names), path


def test_the_package_knows_nothing_of_snakemake():
    for path in MODULES:
        assert not any(n.split(".")[0] == "snakemake" for n in imported(path)), path


def test_planning_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; import semcorr.planning, semcorr.assets.table;"
        "print([m for m in ('torch','numpy','trimesh','zarr','scipy','PIL') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_workflow_files_are_short_and_scripts_thin():
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert len(path.read_text().splitlines()) <= 150, path
    for path in (ROOT / "workflow/scripts").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 15, path


def test_what_lies_directly_in_stages_can_be_started():
    for path in (SOURCE / "stages").glob("[!_]*.py"):
        assert '__name__ == "__main__"' in path.read_text(), path


def test_modules_of_tests_have_different_names():
    # pytest imports them by their names alone, so that two files of one name end the whole suite
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
