"""`pair` in this process, with methods that need no weights: requests, files, what is left behind."""

import csv
import json
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from semcorr.assets.download import TransientError
from semcorr.config.load import dump, validate
from semcorr.datasets.procedural import generate
from semcorr.errors import UserError
from semcorr.geometry.mesh_arrays import sites_of
from semcorr.geometry.reader import read_mesh
from semcorr.stages import pair
from semcorr.stages.matched.pose_pairs import site_labels
from semcorr.stages.one_pair import method as pair_method
from semcorr.stages.one_pair import outputs as pair_outputs
from semcorr.stages.one_pair.request import OUTPUTS, pages_of
from semcorr.stages.running.job import Runtime, StageJob
from semcorr.store.folders import replaced_folder

CONFIG = {
    "methods": {
        "spatial": {"matcher": "spatial"},
        "guided": {"matcher": "guided", "feature": "lifted"},
    },
    "renders": {"views": {"rig": "fibonacci", "views": 2, "backend": "raycast"}},
    "features": {
        "lifted": {"kind": "lifted", "render": "views", "backbone": "dinov2_vits14",
                   "weights": "dinov2_vits14", "layers": {"block.9": 1.0}}
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder: two chairs, labels of the first."""
    monkeypatch.chdir(tmp_path)
    for index in (0, 1):
        mesh = generate("chair", 5, index).mesh
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(f"chair_{index}.ply")
    shape = generate("chair", 5, 0)
    labels = {"names": list(shape.label_names), "faces": shape.face_labels.tolist()}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    return tmp_path


def run(**keys):
    """Run the stage as the rule does; return the pages."""
    config = dump(validate(CONFIG, ["dinov2_vits14"]))
    keys = {"source": "chair_0.ply", "target": "chair_1.ply", "method": "spatial"} | keys
    cfg = {key: value for key, value in keys.items() if value is not None}
    return list(pair.match_pairs(StageJob({}, {}, cfg, config=config, runtime=Runtime())))


@pytest.fixture
def nothing_is_matched(monkeypatch):
    """Fail a test whose request should have been refused before anything is computed."""
    monkeypatch.setattr(pair, "_run", lambda *_: pytest.fail("matched before all was checked"))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_run_without_labels_leaves_none_of_the_run_before(folder):
    (page,) = run(labels="labels.json")
    assert names(page.parent) == OUTPUTS - {"target_keypoints.json"}
    (again,) = run()
    assert again == page == pages_of({"source": "chair_0.ply", "target": "chair_1.ply"})[0]
    assert names(page.parent) == OUTPUTS - {"target_labels.json", "target_keypoints.json"}
    assert names(page.parent.parent) == {page.parent.name}


def test_vertices_that_no_face_uses_change_nothing_for_the_others(folder, monkeypatch):
    monkeypatch.setitem(CONFIG["methods"], "spatial", {"matcher": "spatial", "align": "yaw"})
    (page,) = run()
    found = {}
    for name in ("clean", "stray"):
        if name == "stray":
            for index in (0, 1):
                mesh = generate("chair", 5, index).mesh
                litter = np.concatenate([mesh.vertices[::50] + 0.001, [[20.0, -3, 0]]])
                vertices = np.concatenate([mesh.vertices, litter])
                stray = trimesh.Trimesh(vertices, mesh.faces, process=False)
                stray.export(f"chair_{index}.ply")
            run()
        found[name] = [np.load(page.parent / "target_to_source.npy")]
        for side in ("source", "target"):
            found[name].append(read_mesh(page.parent / f"{side}.ply").vertex_colors)
        found[name].append(json.loads((page.parent / "scores.json").read_text())["search"]["yaw"])
    *clean, clean_yaw = found["clean"]
    *stray, stray_yaw = found["stray"]
    assert stray_yaw == clean_yaw
    for one, other in zip(clean, stray, strict=True):
        assert len(other) > len(one)
        np.testing.assert_array_equal(other[: len(one)], one)


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        ("labels", '{"names": ["seat"], "faces": [0, 0]}', "'faces' has 2 labels"),
        ("labels", "{", "is not JSON"),
        ("keypoints", '{"names": ["p"], "vertices": [999999]}', "vertex 999999 is out of range"),
    ],
)
def test_annotations_are_checked_before_anything_is_computed(
    folder, nothing_is_matched, key, content, message
):
    (folder / "wrong.json").write_text(content)
    with pytest.raises(UserError, match="wrong.json: .*" + message):
        run(**{key: "wrong.json"})
    assert not (folder / "results").exists()


def test_an_up_axis_alone_on_the_line_of_the_default_front_says_what_to_name(
    folder, nothing_is_matched
):
    with pytest.raises(UserError, match=r"up=\+z, front=\+z: .* name both .* up=\+z front=-y"):
        run(up="+z")


@pytest.mark.parametrize(("weights", "warned"), [("ss_flow_tiny", True), ("dinov2_vits14", False)])
def test_tiny_weights_are_told_whatever_the_method(weights, warned):
    choice = pair_method.Choice("mine", None, (), frozenset({weights}))
    result = SimpleNamespace(choice=choice, files={})
    found = pair_outputs._warnings(result, np.zeros(1))
    assert any("tiny weights" in warning for warning in found) == warned


def test_a_failure_while_writing_keeps_the_results_before(folder, monkeypatch):
    (page,) = run(out="here")
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    monkeypatch.setattr(pair_outputs, "_write_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(out="here", labels="labels.json")
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before
    assert not [name for name in names(folder) if name.startswith(".")]


def test_a_list_computes_all_that_can_be(folder, caplog):
    rows = [["chair_0.ply", "gone.ply"], ["chair_0.ply"], ["", "chair_0.ply"],
            ["chair_0.ply", "chair_1.ply", "more"], ["chair_0.ply", "chair_1.ply"]]  # fmt: skip
    with open("list.csv", "w", newline="") as handle:
        csv.writer(handle).writerows([["source", "target"], *rows])
    pages = []
    with caplog.at_level(logging.INFO), pytest.raises(UserError) as error:
        for page in pair.match_pairs(list_job()):
            pages.append(page)
    assert len(pages) == 1 and pages[0].is_file()
    assert str(error.value).startswith("4 of 5 pairs failed: list.csv, row 1; list.csv, row 2;")
    for line in (
        "list.csv, row 1: target=gone.ply: there is no such file",
        "list.csv, row 2: target is empty",
        "list.csv, row 3: source is empty",
        "list.csv, row 4: has more cells than the header",
    ):
        assert line in caplog.text


def list_job():
    config = dump(validate(CONFIG, ["dinov2_vits14"]))
    return StageJob({}, {}, {"pairs": "list.csv", "method": "spatial"}, config=config)


def test_out_is_a_folder_that_may_be_replaced(folder, nothing_is_matched):
    (folder / "mine").mkdir()
    (folder / "mine/thesis.txt").write_text("precious")
    (folder / "link").symlink_to("mine")
    for out, message in (
        ("chair_0.ply", "out=chair_0.ply: .*chair_0.ply is a file; name a folder"),
        ("chair_0.ply/deeper", "is a file; name a folder"),
        ("mine", r"out=mine: holds other files \(thesis.txt\)"),
        ("link", r"out=link: holds other files \(thesis.txt\)"),
        (".", r"out=.: source=chair_0.ply lies in it and would be lost"),
        ("/", "name a new folder"),
    ):
        with pytest.raises(UserError, match=message):
            run(out=out)
    assert (folder / "mine/thesis.txt").read_text() == "precious"


def test_inputs_in_the_folder_of_results_are_not_lost(folder):
    (page,) = run(out="here")
    with pytest.raises(UserError, match="target=here/target.ply lies in it and would be lost"):
        run(out="here", target="here/target.ply")
    assert names(page.parent) >= {"target.ply", "index.html"}


def test_a_folder_is_replaced_through_a_link_and_after_a_kill(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/old").write_text("")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / ".real.new").mkdir()
    (tmp_path / ".real.new/half").write_text("")  # a killed process leaves this
    with replaced_folder(tmp_path / "link") as new:
        (new / "file").write_text("new")
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "real") == {"file"}
    assert names(tmp_path) == {"real", "link"}


def test_carried_labels_are_those_that_scores_count(folder):
    """A vertex of two parts has the one with more area, a face without a part hides none."""
    labels = json.loads((folder / "labels.json").read_text())
    labels["faces"][1::2] = [-1] * len(labels["faces"][1::2])
    (folder / "labels.json").write_text(json.dumps(labels))
    (page,) = run(target="chair_0.ply", labels="labels.json")
    found = json.loads((page.parent / "target_labels.json").read_text())["vertices"]
    arrays = pair.load(folder / "chair_0.ply", "+y", "+z", 0).arrays
    sites = sites_of(arrays)
    expected = site_labels(sites, np.array(labels["faces"]))
    to_source = np.load(page.parent / "target_to_source.npy")
    alone = to_source == np.arange(len(to_source))  # vertices that are matched to themselves
    assert alone.mean() > 0.3
    assert (np.array(found)[alone] == expected[: len(found)][alone]).all()
    last_face_wins = np.full(len(found), -1)
    last_face_wins[sites.faces.reshape(-1)] = np.repeat(labels["faces"], 3)
    assert (np.array(found)[alone] != last_face_wins[alone]).any()


def test_no_network_is_one_line_with_a_remedy(folder, monkeypatch):
    def no_network(*_, **__):
        raise TransientError("asset 'dinov2_vits14', x.pth: https://...: no connection")

    monkeypatch.setattr(pair_method, "fetch", no_network)
    with pytest.raises(UserError) as error:
        run(method="guided")
    assert "guided: its weights cannot be fetched now (asset 'dinov2_vits14'" in str(error.value)
    assert "SEMCORR_MIRROR" in str(error.value) and "\n" not in str(error.value)


def test_a_full_disk_while_fetching_stays_what_it_is(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pair_method, "fetch", full)
    with pytest.raises(OSError, match="No space left"):
        run(method="guided")
