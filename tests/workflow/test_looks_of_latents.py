"""`looks`: decoded latents and samples of trained networks through the workflow, on request."""

import json

import pytest
import small
from PIL import Image

PICTURES = {
    "dataset": "extra",
    "items": 2,
    "render": "views",
    "image_encoder": "encoder",
    "backbone": "tiny_vit",
    "image_size": 32,
}
CHANGES = {
    "decodings__seen": {"dataset": "pack", "items": ["a", "c"], "latent": "tiny", "decoder": "vae"},
    "samplings__plain": {"weights": "flow", "decoder": "vae", "count": 2, "steps": 3},
    "samplings__guided": {"weights": "flow", "decoder": "vae", "count": 2, "steps": 3} | PICTURES,
}


@pytest.fixture(scope="module")
def looked(prepared, tmp_path_factory):
    """A copy of the prepared folder with all three looks, and what was planned for them."""
    work = prepared.copy(tmp_path_factory.mktemp("looks") / "work")
    work.write_config(small.config(**CHANGES))
    plan = work.plan("looks")
    work.run("looks")
    return work, plan


def test_only_the_looks_are_planned(looked):
    _, plan = looked
    assert {job["rule"] for job in plan.jobs} == {"decode", "sample", "looks"}
    assert len([job for job in plan.jobs if job["rule"] == "sample"]) == 2


def test_decoded_items_say_how_much_is_left(looked):
    work, _ = looked
    manifest = json.loads((work.results / "decodings/seen.json").read_text())
    assert [row["id"] for row in manifest["items"]] == ["a", "c"]
    for row in manifest["items"]:
        assert row["voxels"] > 100 and 0 <= row["iou"] <= 1
    assert {"results/models/vae/model.json", "results/latents/tiny/pack/0.json"} <= set(
        manifest["inputs"]
    )


def test_samples_have_a_picture_each_where_pictures_condition(looked):
    work, _ = looked
    plain, guided = (
        json.loads((work.results / f"samplings/{name}.json").read_text())["samples"]
        for name in ("plain", "guided")
    )
    assert [(row["item"], row["number"]) for row in plain] == [(None, 0), (None, 1)]
    items = ["chair_31_00000", "chair_31_00001"]
    assert [(row["item"], row["number"]) for row in guided] == [
        (i, n) for i in items for n in (0, 1)
    ]
    for name in ("decodings/seen", "samplings/plain", "samplings/guided"):
        with Image.open(work.results / f"figures/{name}.png") as picture:
            assert picture.width > 250, name


def test_a_second_run_plans_nothing_and_a_key_its_own_look_alone(looked):
    work, _ = looked
    assert not work.plan("looks").jobs
    work.write_config(
        small.config(**CHANGES | {"samplings__plain": CHANGES["samplings__plain"] | {"steps": 4}})
    )
    plan = work.plan("looks")
    assert plan.outputs == {"results/samplings/plain.json", "results/figures/samplings/plain.png"}
    work.write_config(small.config(**CHANGES))
