"""Texture experiments and exports through the stages themselves, on textured blocks."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_failed_truth import Chain

from semcorr.errors import UserError
from semcorr.geometry.reader import read_mesh
from semcorr.stages import export, sheets
from semcorr.transfer.texture import Paint, has_texture

# a block whose six sides lie side by side in the texture, each its own colour
COLOURS = [
    (230, 40, 40),
    (40, 230, 40),
    (40, 40, 230),
    (230, 230, 40),
    (40, 230, 230),
    (230, 40, 230),
]
SIDES = ("4 3 2 1", "5 6 7 8", "1 2 6 5", "2 3 7 6", "3 4 8 7", "4 1 5 8")
CORNERS = ("0 0 0", "1 0 0", "1 1 0", "0 1 0", "0 0 2", "1 0 2", "1 1 2", "0 1 2")


def textured_obj(uv=True):
    lines = ["mtllib paint.mtl", "usemtl paint", *(f"v {c}" for c in CORNERS)]
    for side, corners in enumerate(SIDES):
        left, right = (side + 0.1) / 6, (side + 0.9) / 6
        lines += [
            f"vt {u:.4f} {v}" for u, v in ((left, 0.1), (right, 0.1), (right, 0.9), (left, 0.9))
        ]
        words = [f"{v}/{4 * side + k + 1}" if uv else v for k, v in enumerate(corners.split())]
        lines.append("f " + " ".join(words))
    return "\n".join(lines) + "\n"


class TexturedChain(Chain):
    """The blocks with a texture; `plain` ones have none."""

    def __init__(self, root, plain=(), **more):
        super().__init__(root, "texture", **more)
        picture = np.repeat(np.array([COLOURS], np.uint8), 20, axis=1)
        Image.fromarray(np.repeat(picture, 20, axis=0)).save(self.root / "paint.png")
        (self.root / "paint.mtl").write_text("newmtl paint\nKd 1 1 1\nmap_Kd paint.png\n")
        for path in self.root.glob("*.obj"):
            path.write_text(textured_obj(uv=path.stem not in plain))

    def exported(self, method="spatial", **changes):
        folder = f"results/exports/texture/blocks/{method}/aligned"
        cfg = self.plan.exports_cfg("blocks") | changes
        inputs = self.plan.pose_inputs(method, "blocks", "aligned")
        outputs = {"manifest": f"{folder}.json", "meshes": folder}
        members = self.plan.export_members("blocks", "aligned")
        export.main(self._job(inputs, outputs, cfg, members=members, method=method))
        return Path(folder), json.loads(Path(f"{folder}.json").read_text())

    def sheets(self):
        inputs = self.plan.sheet_inputs("texture", "blocks", "aligned")
        names = ("maps", "textures")
        cfg = self.plan.sheet_cfg("blocks")
        sheets.main(self._job(inputs, {n: f"results/{n}.png" for n in names}, cfg))
        return {n: np.asarray(Image.open(f"results/{n}.png").convert("RGB")) for n in names}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_scores_of_a_perfect_and_of_a_random_map(work):
    chain = TexturedChain(work, ids=("a", "b", "c")).maps()
    perfect = chain.scores()
    # the blocks are equal: only samples near an edge come back to another side
    assert perfect["psnr"] > 17 and perfect["ciede2000"] < 6
    assert perfect["unmatched"] == 0.0 and perfect["coverage"] == 1.0
    assert [(p["source"], p["target"]) for p in perfect["targets"]] == [("a", "b"), ("a", "c")]
    table = json.loads(Path("results/texture/blocks.json").read_text())
    assert list(table) == ["schema", "experiment", "category", "methods", "inputs"]
    random = table["methods"]["random"]["aligned"]
    assert random["psnr"] < 12 and random["ciede2000"] > 20
    assert perfect["ci95"][0] <= perfect["psnr"] <= perfect["ci95"][1]


def test_labels_do_not_matter_and_plain_sources_have_nothing_to_carry(work):
    chain = TexturedChain(work, plain=("b",), sources=("a", "b"), ids=("a", "b", "c"))
    chain.write("labels", "c", {"names": "broken"})
    summary = chain.maps().scores()
    assert [p["source"] for p in summary["targets"]] == ["a", "a"]
    assert summary["coverage"] == 1.0


def test_a_shape_that_cannot_be_read_lowers_coverage(work):
    chain = TexturedChain(work, ids=("a", "b", "c"))
    (chain.root / "b.obj").write_text("v 0 0 0\n")
    chain.maps()
    with pytest.raises(UserError, match="only 50% of 2 pairs have a map"):
        chain.scores()
    assert chain.scores(min_coverage=0.5)["coverage"] == 0.5


def test_pictures_show_the_texture(work):
    chain = TexturedChain(work, ids=("a", "b"))
    chain.maps().scores()
    shown = chain.sheets()["textures"].reshape(-1, 3).astype(int)
    # red, yellow and magenta sides cannot come from position colours of a grey block
    for colour in ((230, 40, 40), (230, 230, 40)):
        hue = shown - np.array(colour) * shown.max(axis=1, keepdims=True) / max(colour)
        assert (np.abs(hue).max(axis=1) < 25).sum() > 100, colour


def test_exported_textures_look_like_the_source(work):
    chain = TexturedChain(work, plain=("b",), ids=("a", "b", "c")).maps()
    everything = ["texture", "texture_parts", "confidence", "cycle"]
    folder, manifest = chain.exported(colourings=everything, texture_size=96)
    assert {row["what"] for row in manifest["files"]} == set(everything)
    assert manifest["failed"] == []
    rows = {row["file"]: row for row in manifest["files"]}
    # c has a UV map of its own, b is unwrapped
    assert rows["texture/a/c.glb"]["unwrapped"] is None
    assert rows["texture/a/b.glb"]["unwrapped"] == "no texture coordinates"
    assert rows["texture/a/b.glb"]["coverage"] == 1.0
    source = read_mesh(chain.root / "a.obj")
    for what in ("texture/a.glb", "texture/a/b.glb", "texture/a/c.glb", "texture_parts/a/b.glb"):
        mesh = read_mesh(folder / what)
        assert has_texture(mesh) and mesh.materials[0].texture.shape == (96, 96, 4)
        middle = np.full((12, 3), 1 / 3)
        colours = Paint(mesh).at(np.arange(12), middle)
        expected = Paint(source).at(np.arange(12), middle)
        assert np.abs(colours - expected).max() < 0.05, what
    ply = read_mesh(folder / "texture/a/c.ply")
    assert len(ply.vertices) == 8 and ply.corner_uvs is None
    assert {tuple(c[:3]) for c in ply.vertex_colors} <= set(COLOURS) | {
        tuple(c[:3]) for c in read_mesh(folder / "texture/a.ply").vertex_colors
    }
    # equal blocks: the way back leads home, so all is as bright as the scale goes
    cycle = read_mesh(folder / "cycle/a/c.ply").vertex_colors[:, :3].astype(int)
    assert np.abs(cycle - [253, 231, 37]).max() < 40


def test_exports_are_the_same_every_time_and_choose_formats(work):
    chain = TexturedChain(work, ids=("a", "b")).maps()
    changes = {"colourings": ["texture", "rainbow"], "texture_size": 32}
    folder, first = chain.exported(**changes)
    _, again = chain.exported(**changes)
    assert first == again
    _, only = chain.exported(**changes, formats=["ply"])
    assert {row["file"] for row in only["files"]} == {
        row["file"] for row in first["files"] if row["file"].endswith(".ply")
    }
    assert not list(folder.rglob("*.glb"))


def test_untextured_shapes_have_no_texture_to_export(work):
    chain = TexturedChain(work, plain=("a", "b"), ids=("a", "b")).maps()
    _, manifest = chain.exported(texture_size=32)
    assert {row["what"] for row in manifest["files"]} == {
        "positions", "parts", "rainbow", "confidence", "cycle",
    }  # fmt: skip
