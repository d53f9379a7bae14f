"""What is made of maps on request: coloured meshes, and part labels carried to the targets."""

import csv
import json

import numpy as np
import pytest
import small
from walk import TASKS

from semcorr.datasets.context import decode, truth_from_arrays
from semcorr.geometry.mesh_arrays import from_arrays, sites_of
from semcorr.geometry.reader import read_mesh
from semcorr.store.chunk import ChunkReader
from semcorr.transfer.colours import spatial_rainbow

LABELS = "results/labels/spatial/seats/turned/0"
FOLDER = "results/exports/coseg/seats/spatial/turned"


@pytest.fixture(scope="module")
def exported(prepared, tmp_path_factory):
    """A copy of the prepared folder with the meshes and labels of one method in one pose."""
    work = prepared.copy(tmp_path_factory.mktemp("exports") / "work")
    work.run(f"{FOLDER}.json", f"{LABELS}.json", cores=1)
    return work


OF_BOTH = ("positions", "parts", "rainbow")
OF_TARGETS = ("confidence", "cycle")


def has_texture(mesh):
    return any(material.texture is not None for material in mesh.materials)


def test_every_pair_is_there_in_every_colouring_and_format(exported):
    manifest = json.loads((exported.folder / f"{FOLDER}.json").read_text())
    folder = exported.folder / FOLDER
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    found = {p.relative_to(folder).as_posix() for p in files}
    ids = [f"chair_9_{n:05d}" for n in range(small.CONFIG["datasets"]["chairs"]["count"])]
    sources = ids[: small.CONFIG["coseg"]["seats"]["sources"]]
    expected = {f"{what}/{s}.{f}" for what in OF_BOTH for s in sources for f in ("ply", "glb")}
    expected |= {
        f"{what}/{s}/{t}.{f}"
        for what in OF_BOTH + OF_TARGETS
        for s in sources
        for t in ids
        for f in ("ply", "glb")
        if s != t
    }
    meshes = ChunkReader(exported.folder / "results/meshes/chairs_yaw/0.json")
    textured = [s for s in sources if has_texture(from_arrays(meshes.read(s)))]
    assert len(textured) == 1  # one of the two has woven stuff; the other has no texture to carry
    for s in textured:
        shown = (s, *(f"{s}/{t}" for t in ids if t != s))
        expected |= {f"texture/{name}.{f}" for name in shown for f in ("ply", "glb")}
    assert found - {"CREDITS.csv"} == expected == {row["file"] for row in manifest["files"]}
    assert manifest["failed"] == manifest["left_out"] == []
    with open(folder / "CREDITS.csv", newline="") as file:
        credits = list(csv.DictReader(file))
    assert [row["item"] for row in credits] == ids
    assert {(row["data_set"], row["licence"]) for row in credits} == {("chairs_yaw", "CC0-1.0")}
    assert (manifest["task"], manifest["pose"]) == ("coseg", "turned")
    assert all((exported.folder / path).is_file() for path in manifest["inputs"])


def test_both_formats_say_the_same_and_the_rainbow_is_the_published_one(exported):
    folder = exported.folder / FOLDER
    for path in sorted(folder.rglob("*.ply")):
        if path.is_relative_to(folder / "texture"):
            continue  # a picture in glb, split at its seams
        ply, glb = read_mesh(path), read_mesh(path.with_suffix(".glb"))
        np.testing.assert_array_equal(ply.faces, glb.faces)
        np.testing.assert_allclose(ply.vertices, glb.vertices, atol=1e-6)
        np.testing.assert_array_equal(ply.vertex_colors, glb.vertex_colors)
    source = read_mesh(folder / "rainbow/chair_9_00000.ply")
    meshes = ChunkReader(exported.folder / "results/meshes/chairs_yaw/0.json")
    sites = sites_of(meshes.read("chair_9_00000")).positions
    expected = np.rint(255 * spatial_rainbow(sites))[: len(source.vertices)]
    np.testing.assert_array_equal(source.vertex_colors[:, :3], expected)


def test_meshes_keep_their_vertices_and_carry_colours(exported):
    meshes = ChunkReader(exported.folder / "results/meshes/chairs_yaw/0.json")
    own = meshes.read("chair_9_00001", ("vertices",))["vertices"]
    path = exported.folder / FOLDER / "positions/chair_9_00000/chair_9_00001.glb"
    target = read_mesh(path)
    # glTF: the up axis is y, and the front, -y of the world, is +z
    np.testing.assert_allclose(target.vertices, own[:, [0, 2, 1]] * (1, 1, -1), atol=1e-6)
    assert len(np.unique(target.vertex_colors, axis=0)) > 20
    parts = read_mesh(exported.folder / FOLDER / "parts/chair_9_00000/chair_9_00001.glb")
    source = read_mesh(exported.folder / FOLDER / "parts/chair_9_00000.glb")
    shown = {tuple(colour) for colour in parts.vertex_colors}
    assert 1 < len(shown) < 12
    assert shown <= {tuple(colour) for colour in source.vertex_colors} | {(158, 158, 162, 255)}


def test_a_second_request_plans_nothing_and_all_can_be_asked_for(exported):
    plans = exported.server.plans([(exported, [f"{FOLDER}.json"]), (exported, ["exports"])])
    assert [plan.code for plan in plans] == [0, 0], plans[-1].text
    assert plans[0].outputs == frozenset()
    wanted = {
        f"results/exports/{task}/{name}/{method}/{pose}"
        for task in TASKS
        for name, entry in small.CONFIG[task].items()
        for method in entry["methods"]
        for pose in entry["poses"]
    } - {FOLDER}
    assert plans[1].outputs == {p for folder in wanted for p in (folder, f"{folder}.json")}


def test_another_choice_of_colourings_plans_the_meshes_again(exported, tmp_path):
    clone = exported.clone(tmp_path / "work")
    (clone.folder / "pack").symlink_to(exported.folder / "pack")
    clone.write_config(small.config(exports={"colourings": ["rainbow"]}))
    (plan,) = exported.server.plans([(clone, [f"{FOLDER}.json"])])
    assert plan.outputs == {FOLDER, f"{FOLDER}.json"}, plan.text


def test_exports_and_labels_are_no_part_of_all(prepared):
    for section in ("exports", "labels"):
        assert not (prepared.results / section).exists()


def test_labels_are_carried_to_every_target_and_are_mostly_right(exported):
    reader = ChunkReader(exported.folder / f"{LABELS}.json")
    truth = ChunkReader(exported.folder / "results/truth/chairs_yaw/0.json")
    assert len(reader.ids) > 1 and list(reader.ids) == list(truth.ids)  # chairs of one chunk
    right = []
    for item_id in reader.ids:
        carried, known = reader.read(item_id), truth_from_arrays(truth.read(item_id))
        parts = decode(carried["info"])["parts"]
        names = [parts[n] for n in carried["face_labels"]]
        right += [
            name == known.label_names[n] for name, n in zip(names, known.face_labels, strict=True)
        ]
    # chairs turned by chance, matched by their positions alone: far from all, far above guessing
    assert 0.3 < np.mean(right) < 1


def test_labels_of_all_experiments_can_be_asked_for(exported):
    (plan,) = exported.server.plans([(exported, ["labels"])])
    wanted = {
        f"results/labels/{method}/{name}/{pose}"
        for name, entry in small.CONFIG["coseg"].items()
        for method in entry["methods"]
        for pose in entry["poses"]
    }
    assert plan.code == 0, plan.text
    assert {path.rsplit("/", 1)[0] for path in plan.outputs if path.endswith(".json")} == wanted
    assert f"{LABELS}.json" not in plan.outputs
    refused = exported.plan("results/labels/spatial/corners/aligned/0.json")
    assert "labels are carried in experiments of `coseg` alone" in refused.text
