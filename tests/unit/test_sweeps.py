"""`sweeps:` in the configuration, and its heat map."""

import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from semcorr.assets.table import asset_keys
from semcorr.config.expand import cells_of
from semcorr.config.load import split_target_keys, validate
from semcorr.errors import UserError
from semcorr.report.heat_map import Panel, heat_maps
from semcorr.stages.sweep import panels_of

ROOT = Path(__file__).parents[2]
SWEEP = {"experiment": "chair", "method": "hnsr_tiny", "timesteps": [5, 7], "layers": [4, 2]}


def written(**changes):
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return raw | {"sweeps": {"steps": SWEEP | changes}}


def configured(**changes):
    return validate(written(**changes), asset_keys(ROOT / "config/assets.csv"))


def test_a_file_of_keypoints_for_a_pair_leaves_out_what_may_name_the_section():
    raw = written(experiment="corners")
    raw["keypoints"] = {"corners": raw["coseg"]["chair"]}
    keys = asset_keys(ROOT / "config/assets.csv")
    assert "steps" in validate(raw, keys).sweeps
    for_pair = raw | {"keypoints": "file.json", "source": "a.glb"}
    assert split_target_keys(for_pair)[1] == {"keypoints": "file.json", "source": "a.glb"}
    assert validate(for_pair, keys).keypoints == validate(for_pair, keys).sweeps == {}


@pytest.mark.parametrize(
    ("noise", "passes"),
    [
        ("feature", ["steps_t5_n7", "steps_t7_n7"]),
        ("timestep", ["steps_t5_n5", "steps_t7_n7"]),
        ([0, 3], ["steps_t5_n0", "steps_t5_n3", "steps_t7_n0", "steps_t7_n3"]),
    ],
)
def test_generated_entries(noise, passes):
    config = configured(noise=noise)
    assert [name for name in config.features if name.startswith("steps")] == passes
    for name in passes:
        feature = config.features[name]
        assert (feature.layer, feature.more_layers) == (2, (4,)) and feature.draws == 4
        assert config.methods[f"{name}_l2"].layer is None
        assert config.methods[f"{name}_l4"].layer == 4
        assert config.methods[f"{name}_l4"].feature == name
    assert [cell.method for cell in cells_of(config, "steps")] == [
        f"{name}_l{layer}" for name in passes for layer in (2, 4)
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment": "stool"}, "sweeps.steps.experiment: no such entry 'stool'"),
        ({"method": "hnsr"}, "sweeps.steps.method: no such entry 'hnsr'"),
        ({"method": "spatial"}, "'spatial' rests on no features of kind hnsr"),
        ({"method": "nearest_tiny"}, "'nearest_tiny' rests on no features of kind hnsr"),
        ({"timesteps": [13]}, "sweeps.steps: steps_t13_n7: Value error, timestep and noise"),
        ({"timesteps": []}, "sweeps.steps.timesteps"),
        ({"layers": [-1]}, "sweeps.steps.layers"),
        ({"noise": "none"}, "sweeps.steps.noise"),
        ({"timesteps": [5, 7, 5]}, "sweeps.steps.timesteps: 5 comes twice"),
        ({"layers": [2, 2]}, "sweeps.steps.layers: 2 comes twice"),
        ({"noise": [3, 3]}, "sweeps.steps.noise: 3 comes twice"),
    ],
)
def test_wrong_sweeps_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        configured(**changes)


def test_a_taken_name_is_refused():
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    raw["sweeps"] = {"steps": SWEEP}
    raw["methods"]["steps_t5_n7_l2"] = {"matcher": "random"}
    with pytest.raises(UserError, match="the name 'steps_t5_n7_l2' is taken"):
        validate(raw, asset_keys(ROOT / "config/assets.csv"))


def rows(*settings):
    return [
        {"timestep": t, "noise": n, "layer": layer, "pose": pose, "score": score}
        for t, n, layer, pose, score in settings
    ]


def test_panels_by_pose_and_by_free_noise():
    matched = rows((3, 3, 0, "a", 0.1), (5, 5, 0, "a", 0.2), (3, 3, 2, "b", 0.3), (5, 5, 2, "b", 1))
    first, second = panels_of(matched)
    assert (first.title, second.title) == ("a", "b") and first.layers == [0, 2]
    np.testing.assert_array_equal(first.values, [[0.1, 0.2], [np.nan, np.nan]])
    assert first.best == (0, 1) and second.best == (1, 1)
    free = panels_of(rows((3, 0, 0, "a", 0.1), (3, 1.5, 0, "a", None)))
    assert [panel.title for panel in free] == ["a, noise 0", "a, noise 1.5"]
    assert free[1].best is None


def test_heat_map_is_a_repeatable_picture():
    panel = Panel("aligned", [3, 5], [0, 1, 2], np.array([[0.1, 0.2], [0.5, np.nan], [0.3, 0.4]]))
    empty = Panel("turned", [3, 5], [0, 1, 2], np.full((3, 2), np.nan))
    picture = heat_maps([panel, empty], "steps")
    assert picture == heat_maps([panel, empty], "steps")
    with Image.open(io.BytesIO(picture)) as image:
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20
    with pytest.raises(ValueError, match="at least one panel"):
        heat_maps([], "steps")


def test_headings_of_small_heat_maps_have_room():
    def width(title, timesteps=(0, 12)):
        panel = Panel(title, timesteps, (0, 5), np.full((2, len(timesteps)), 0.5))
        return Image.open(io.BytesIO(heat_maps([panel, panel], "steps"))).width

    assert width("random_yaw") >= 2 * 2.7 * 200  # inches of its heading, dots an inch
    assert width("aligned", range(12)) == width("random_yaw", range(12))
