"""The rerun contract, continued: what is planned after a change of code, each in a copy of the repository."""

import os
import shutil

import harness
import pytest
import small


def plan_with(prepared, tmp_path, *edits, touch=False):
    """Return what is planned with another copy of the repository, in which modules were edited."""
    copy = tmp_path / "repository"
    shutil.copytree(prepared.repository, copy, symlinks=True)
    for module, old, new in edits:
        path = copy / "src/semcorr" / module
        if not old:  # a new module
            assert not path.exists()
            path.write_text(new)
            continue
        assert old in path.read_text(), f"{module} no longer holds {old!r}"
        path.write_text(path.read_text().replace(old, new, 1))
    if touch:
        for path in copy.rglob("*"):
            os.utime(path)
    work = harness.Work(prepared.folder, copy, prepared.environment)
    with harness.one_server(tmp_path / "answers", work) as server:
        plan = server.plans([(work, small.TARGETS)])[0]
    assert plan.code == 0, plan.text
    return plan.outputs


def test_a_git_checkout_plans_nothing(prepared, tmp_path):
    assert plan_with(prepared, tmp_path, touch=True) == frozenset()


NOTHING = {
    "a docstring": ("stages/meshes.py", '"""Stage `meshes`', '"""The stage `meshes`'),
    "a comment": ("matching/nearest.py", "def match(", "# both ways\ndef match("),
    "formatting": ("store/manifest.py", "SCHEMA = 1", "SCHEMA   =   (1)"),
    "a new image network": ("networks/zoo/new.py", "", "SPEC = None\n"),
    "an image network that nobody names": ("networks/zoo/dinov2_vitl14.py", "SPEC", "X = 1\nSPEC"),
    "a stage with a version": ("stages/latents.py", "def main", "UNUSED = 1\n\n\ndef main"),
    "a kind of feature": ("features/lifted.py", "RAGGED = ", "UNUSED = 1\nRAGGED = "),
    "a module that only kinds with a version import": (
        "features/lifting.py",
        "_CHUNK = 8192",
        "_CHUNK = 4096",
    ),
    "how image networks are opened": (
        "networks/backbones.py",
        "def list_backbones",
        "UNUSED = 1\n\n\ndef list_backbones",
    ),
    "the configuration's models": ("config/renders.py", '"picture size, pixels"', '"pixels"'),
}


def test_comments_formatting_registries_and_pinned_modules_plan_nothing(prepared, tmp_path):
    assert plan_with(prepared, tmp_path, *NOTHING.values()) == frozenset()


def starting(before, *prefixes):
    return {p for p in before.signatures if p.startswith(prefixes)}


LOGIC = {
    "an image network": (
        ("networks/zoo/tiny_vit.py", "SPEC = ", "UNUSED = 1\nSPEC = "),
        [
            "results/features/lifted/",
            "results/features/masked/",
            "results/features/guessed/",
            "results/features/states/",
            "results/features/slat_states/",
            "results/features/voxel_views/",
            "results/latents/slat/",
        ],
    ),
    "a matcher": (
        ("matching/nearest.py", "def match(", "UNUSED = 1\n\n\ndef match("),
        ["results/matches/nearest/", "results/matches/guessed/", "results/matches/slat_states/"],
    ),
    "a module that a stage imports": (
        ("geometry/voxels.py", "import numpy as np", "import numpy as np\n\nUNUSED = 1"),
        ["results/voxels/", "results/matches/", "results/meshes/planes/"],
    ),
    "the ray caster": (
        ("rendering/raycast.py", "def open_renderer", "UNUSED = 1\n\n\ndef open_renderer"),
        ["results/renders/"],
    ),
    "the version of the stage of features": (
        ("stages/features.py", "VERSION = 1", "VERSION = 2"),
        ["results/features/"],
    ),
    "the version of a kind of feature": (
        ("features/lifted.py", "VERSION = 1", "VERSION = 2"),
        ["results/features/lifted/", "results/features/masked/", "results/features/guessed/"],
    ),
    "the version of a kind of latent": (
        ("features/trellis_ss.py", "VERSION = 1", "VERSION = 2"),
        ["results/latents/tiny/", "results/latents/tiny_yaw2/"],
    ),
    "the version of the stage of renders": (
        ("stages/render.py", "VERSION = 1", "VERSION = 2"),
        ["results/renders/"],
    ),
    "a kind of mask": (
        ("imaging/alpha.py", "RAGGED = ", "UNUSED = 1\nRAGGED = "),
        ["results/masks/outline/"],
    ),
    "the version of a kind of mask": (
        ("imaging/sam.py", "VERSION = 1", "VERSION = 2"),
        ["results/masks/segmented/"],
    ),
    "the version of a kind of depth": (
        ("imaging/depth_anything.py", "VERSION = 1", "VERSION = 2"),
        ["results/depth/guessed/"],
    ),
    "a data set's kind": (
        ("datasets/turned.py", "def open_meshes", "UNUSED = 1\n\n\ndef open_meshes"),
        ["results/meshes/chairs_yaw/", "results/truth/chairs_yaw/"],
    ),
    "the scores of one task": (
        ("evaluation/keypoints.py", "CURVE = ", "UNUSED = 1\nCURVE = "),
        ["results/keypoints/corners/"],
    ),
}


@pytest.mark.parametrize("name", LOGIC)
def test_changed_code_plans_what_rests_on_it(name, prepared, tmp_path, before):
    edit, prefixes = LOGIC[name]
    assert plan_with(prepared, tmp_path, edit) == before.below(starting(before, *prefixes))
