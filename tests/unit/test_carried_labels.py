"""Labels of sources carried to targets, as stored: by hand, by loops, and through the stage."""

import numpy as np
import pytest
from test_failed_truth import BROKEN, LABELS, Chain

from semcorr.datasets.context import decode
from semcorr.errors import UserError
from semcorr.stages import labels as stage
from semcorr.store.chunk import ChunkReader
from semcorr.store.manifest import read_manifest
from semcorr.transfer.face_labels import label_faces

MANIFEST = "results/labels/spatial/blocks/aligned/0.json"


def plain_label_faces(labels, confidence, faces, sample_face, polygon_of_face):
    first = len(labels) - len(sample_face)
    found, sure = [], []
    for polygon in range(max(polygon_of_face) + 1):
        cut = [face for face, number in enumerate(polygon_of_face) if number == polygon]
        sites = [corner for face in cut for corner in faces[face]]
        sites += [first + n for n, face in enumerate(sample_face) if face in cut]
        votes = [labels[site] for site in sites if labels[site] >= 0]
        best = min(set(votes), key=lambda x: (-votes.count(x), x)) if votes else -1
        theirs = [confidence[site] for site in sites if labels[site] == best >= 0]
        found.append(best)
        sure.append(np.mean(theirs) if theirs else 0)
    return found, sure


@pytest.mark.parametrize("seed", range(5))
def test_faces_are_labelled_as_by_loops(seed):
    rng = np.random.default_rng(seed)
    vertices, faces, samples = 30, rng.integers(0, 30, (40, 3)), rng.integers(0, 40, 60)
    labels = rng.integers(-1, 4, vertices + 60)
    confidence = rng.random(vertices + 60)
    polygons = rng.integers(0, 25, 40)
    found, sure = label_faces(labels, confidence, faces, samples, polygons)
    expected = plain_label_faces(labels, confidence, faces, samples, polygons)
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_allclose(sure, expected[1])


def test_samples_outvote_corners_and_ties_go_to_the_smallest():
    faces = np.array([[0, 1, 2], [0, 1, 2]])
    found, sure = label_faces([0, 0, 1, 1, 1], [0.5, 0.5, 0.2, 0.4, 0.9], faces, [1, 1], [0, 1])
    assert found.tolist() == [0, 1] and sure == pytest.approx([0.5, 0.5])
    assert label_faces([2, 2, 1, 1, 1], np.ones(5), faces, [1, 1], [0, 1])[0].tolist() == [2, 1]
    assert label_faces([2, 2, 1, 1], np.ones(4), faces[:1], [0], [0])[0].tolist() == [1]


def test_where_nobody_votes_there_is_no_label():
    found, sure = label_faces([-1, -1, -1], [1.0, 1.0, 1.0], np.array([[0, 1, 2]]), [], [0])
    assert found.tolist() == [-1] and sure.tolist() == [0.0]
    found, _ = label_faces(np.zeros(0, int), np.zeros(0), np.zeros((0, 3), int), [], [])
    assert len(found) == 0


# --- through the stage ---------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def carried(chain, method="spatial"):
    """Run everything up to the carried labels; {item: (arrays, info)} and the manifest's rows."""
    inputs = chain.plan.label_inputs(method, "blocks", "aligned", "0")
    members = chain.plan.match_members("blocks", "aligned", "0")
    outputs = chain._chunk("labels", f"{method}/blocks", "aligned")
    cfg = chain.plan.label_cfg("blocks")
    stage.main(chain._job(inputs, outputs, cfg, members=members, method=method))
    rows = {row.id: row for row in read_manifest(MANIFEST).rows}
    reader = ChunkReader(MANIFEST)
    arrays = {name: reader.read(name) for name, row in rows.items() if row.status == "ok"}
    return {name: (found, decode(found["info"])) for name, found in arrays.items()}, rows


def labels_of(arrays, info):
    return [info["parts"][n] for n in arrays["face_labels"]]


def test_equal_blocks_get_the_labels_of_the_source(work):
    found, rows = carried(Chain(work).maps())
    assert rows.keys() == {"b", "c", "d"}  # a is the source, and nobody else labels it
    for arrays, info in found.values():
        assert info == {"parts": ["back", "seat"], "sources": ["a"]}
        assert labels_of(arrays, info) == [LABELS["names"][n] for n in LABELS["faces"]]
        assert len(arrays["vertex_labels"]) == 8
        assert arrays["face_confidence"].min() > 0


def test_targets_need_no_labels_and_theirs_are_not_looked_at(work):
    chain = Chain(work)
    chain.write("labels", "b", None)
    chain.write("labels", "c", {"names": ["handle"], "faces": [0] * len(LABELS["faces"])})
    chain.write("labels", "d", BROKEN)
    found, rows = carried(chain.maps())
    assert {row.status for row in rows.values()} == {"ok"}
    first = found["b"][0]["face_labels"]
    for arrays, info in found.values():
        assert info["parts"] == ["back", "seat"]
        np.testing.assert_array_equal(arrays["face_labels"], first)


def test_several_sources_vote(work):
    chain = Chain(work, sources=("a", "b", "c"), targets=["d"])
    chain.write("labels", "b", LABELS | {"faces": [1 - n for n in LABELS["faces"]]})
    found, _ = carried(chain.maps())
    arrays, info = found["d"]
    assert info["sources"] == ["a", "b", "c"]
    assert labels_of(arrays, info) == [LABELS["names"][n] for n in LABELS["faces"]]


@pytest.mark.parametrize("labels", [None, BROKEN])
def test_without_a_labelled_source_an_item_fails_with_the_reason(work, labels):
    chain = Chain(work)
    chain.write("labels", "a", labels)
    found, rows = carried(chain.maps())
    assert found == {}
    assert {(row.status, row.reason) for row in rows.values()} == {
        ("upstream_failed", "no labelled source has a map to it")
    }


def test_a_target_without_a_map_fails_alone(work):
    chain = Chain(work)
    (chain.root / "b.obj").write_text("")
    found, rows = carried(chain.maps())
    assert found.keys() == {"c", "d"} and rows["b"].status == "upstream_failed"


def test_other_tasks_carry_no_labels(work):
    chain = Chain(work, task="keypoints")
    with pytest.raises(UserError, match="blocks: labels are carried in experiments of `coseg`"):
        chain.plan.label_inputs("spatial", "blocks", "aligned", "0")
    assert chain.plan.labels() == []
