import copy
import pkgutil
import re
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from semcorr.assets.table import asset_keys
from semcorr.config import document
from semcorr.config.load import dump, entry_of, rule_cfg, validate
from semcorr.config.modules import modules_with
from semcorr.config.root import Config
from semcorr.config.sections import kinds_by_section
from semcorr.datasets.procedural import categories
from semcorr.errors import UserError
from semcorr.networks import zoo
from semcorr.planning import Plan

ROOT = Path(__file__).parents[2]
KEYS = asset_keys(ROOT / "config/assets.csv")
LIFTED = {"kind": "lifted", "backbone": "tiny_vit", "weights": KEYS[0], "render": "r",
          "layers": {"norm": 1}}  # fmt: skip
SMALL = {
    "datasets": {
        "chairs": {"kind": "procedural", "category": "chair", "count": 4, "seed": 1},
        "chairs_yaw": {"kind": "turned", "from": "chairs"},
    },
    "methods": {"random": {"matcher": "random"}, "spatial": {"matcher": "spatial"}},
    "coseg": {
        "chair": {"category": "chair", "poses": {"aligned": "chairs"}, "methods": ["random"]}
    },
}


def changed(**changes):
    value = copy.deepcopy(SMALL)
    for path, new in changes.items():
        *parents, last = path.split("__")
        place = value
        for parent in parents:
            place = place[parent]
        place[last] = new
    return value


@pytest.mark.parametrize(
    "path", sorted([ROOT / "config/config.yaml", *ROOT.glob("config/presets/*.yaml")])
)
def test_shipped_configurations_are_valid(path):
    raw = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    over = yaml.safe_load(path.read_text())
    # some rest on another preset: the command in their first lines names both
    command = re.search(r"--configfile (.*)$", path.read_text(), re.M)
    for name in command[1].split() if command else [path]:
        raw = merged(raw, yaml.safe_load((ROOT / name).read_text()))
    config = validate(raw, KEYS)
    assert set(over.get("methods", {})) <= set(config.methods)


def merged(base, over):
    """Merge like `--configfile`: mappings deeply, everything else replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merged(base.get(key), value) for key, value in over.items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"datasets__chairs__cuont": 3},
            "datasets.chairs.cuont: no such key here; did you mean 'count'?",
        ),
        ({"methods__spatial__algin": "yaw"}, "methods.spatial.algin: no such key here"),
        ({"sead": 3}, "sead: no such key here"),
        ({"datasets__chairs_yaw__from": "chars"}, "datasets.chairs_yaw.from: no entry 'chars'"),
        ({"coseg__chair__methods": ["gessed"]}, "no such entry 'gessed'"),
        ({"coseg__chair__poses": {"aligned": "nope"}}, "no such entry 'nope'"),
        ({"methods__random__matcher": "rnadom"}, "methods.random"),
        ({"datasets__Chairs": {"kind": "procedural"}}, "datasets"),
        ({"keypoints": {"chair": SMALL["coseg"]["chair"]}}, "the name is taken by coseg.chair"),
        ({"datasets__chairs__count": 0}, "datasets.chairs.count"),
        ({"datasets__chairs_yaw__yaw": "left"}, "datasets.chairs_yaw.yaw: Input should be"),
        ({"coseg__chair__sources": -1}, "coseg.chair.sources: Input should be greater than or"),
        ({"coseg__chair__sources": 0}, "coseg.chair.sources: Input should be greater than or"),
        ({"coseg__chair__sources": True}, "coseg.chair.sources: Input should be a valid integer"),
        ({"coseg__chair__sources": 2.0}, "coseg.chair.sources: Input should be a valid integer"),
        ({"coseg__chair__sources": []}, "coseg.chair.sources: Tuple should have at least 1 item"),
        ({"coseg__chair__sources": [""]}, "coseg.chair.sources.0: String should have at least 1"),
        ({"coseg__chair__targets": []}, "coseg.chair.targets: Tuple should have at least 1 item"),
        ({"coseg__chair__category": ""}, "coseg.chair.category: String should have at least 1"),
        (
            {"methods__near": {"matcher": "nearest", "feature": "none"}},
            "methods.near.feature: no entry 'none'",
        ),
        (
            {"datasets__chairs__category": "sofa"},
            "datasets.chairs.category: there is no 'sofa'; there are: aeroplane, chair, human, mug,",
        ),
        (
            {"features": {"f": {"kind": "lifted", "backbone": "resnet"}}},
            "features.f.backbone: there is no 'resnet'; there are: dinov2_vitb14,",
        ),
        (
            {"samplings": {"s": {"backbone": "resnet"}}},
            "samplings.s.backbone: there is no 'resnet'; there are: dinov2_vitb14,",
        ),
        (
            {"models": {"m": {"kind": "ss_vae", "categories": ["chair", "sofa"]}}},
            "models.m.categories.1: there is no 'sofa'; there are: aeroplane, chair,",
        ),
        (
            {"features": {"f": LIFTED | {"layers": {"norm": 0}}}},
            "features.f.layers.norm: Input should be greater than 0",
        ),
        (
            {"features": {"f": LIFTED | {"layers": {}}}},
            "features.f.layers: Dictionary should have at least 1 item",
        ),
        (
            {"renders": {"r": {"rig": "orbit", "elevations": []}}},
            "renders.r.elevations: Tuple should have at least 1 item",
        ),
        (
            {"renders": {"r": {"rig": "explicit", "positions": [[0, -2, 0], [0, 0, 0]]}}},
            "renders.r.positions: [0.0, 0.0, 0.0] lies where shapes are",
        ),
        (
            {"renders": {"r": {"rig": "explicit", "positions": [[0, -0.6, 0.6]]}}},
            "not further from the origin than 0.87",
        ),
        (
            {"renders": {"r": {"rig": "explicit"}}},
            "`positions` must be given for rig: explicit",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path(changes, message):
    with pytest.raises(UserError) as caught:
        validate(changed(**changes), KEYS)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (-1, "coseg.chair.sources: Input should be greater than or equal to 1"),
        (True, "coseg.chair.sources: Input should be a valid integer, or a list, [...], or 'all'"),
        ([], "coseg.chair.sources: Tuple should have at least 1 item after validation, not 0"),
        ([""], "coseg.chair.sources.0: String should have at least 1 character"),
    ],
)
def test_a_value_of_several_types_gives_one_line(value, line):
    with pytest.raises(UserError) as caught:
        validate(changed(coseg__chair__sources=value), KEYS)
    assert str(caught.value).splitlines()[1:] == [f"  {line}"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"coseg__chair__poses": {"Aligned": "x"}}, "coseg.chair.poses.Aligned"),
        ({"keypoints": {"k": {"sources": ["a", {}]}}}, "keypoints.k.sources."),
        ({"renders": {"rig12": {"elevations": ["low"]}}}, "renders.rig12.elevations.0"),
        ({"voxels": {"v": {"yaws": {"a": 1}}}}, "voxels.v.yaws"),
        ({"latents": {"a": {"kind": "trellis_ss", "voxl": "v"}}}, "latents.a.voxl"),
        ({"features": {"f": {"kind": "lifted", "layers": {"a": "x"}}}}, "features.f.layers.a"),
        ({"methods": {"random": {"matcher": "random", "x": 1}}}, "methods.random.x"),
        ({"models": {"m": {"kind": "ss_vae", "channels": [1, "x"]}}}, "models.m.channels.1"),
        ({"datasets": {"Upper": {"kind": "procedural"}}}, "datasets.Upper"),
    ],
)
def test_paths_of_nested_keys_are_as_written(changes, path):
    with pytest.raises(UserError) as error:
        validate(changed(**changes), KEYS)
    assert f"  {path}" in str(error.value)


def test_a_weights_reference_must_be_an_asset_or_a_model():
    raw = changed(
        renders={"r": {}},
        features={
            "f": {
                "kind": "lifted",
                "backbone": "tiny_vit",
                "weights": "nowhere",
                "render": "r",
                "layers": {"a": 1},
            }
        },
    )
    with pytest.raises(UserError, match="'nowhere' is neither a key of config/assets.csv"):
        validate(raw, KEYS)


def test_defaults_written_out_change_nothing():
    implicit = validate(SMALL, KEYS)
    explicit = validate(dump(implicit), KEYS)
    assert dump(implicit) == dump(explicit)
    assert rule_cfg(implicit, "methods", "spatial") == rule_cfg(explicit, "methods", "spatial")


def test_planning_keys_are_no_part_of_cfg_and_global_keys_are():
    cfg = rule_cfg(validate(SMALL, KEYS), "datasets", "chairs")
    assert set(cfg) == {"kind", "category", "seed", "global_seed", "global_precision"}


def test_cfg_turns_back_into_the_options_of_its_kind():
    config = validate(changed(methods__spatial__align="yaw"), KEYS)
    assert entry_of("methods", rule_cfg(config, "methods", "spatial")) == config.methods["spatial"]


def test_target_keys_of_the_command_line_are_left_out():
    assert validate(SMALL | {"source": "a.glb", "target": 7}, KEYS) == validate(SMALL, KEYS)


def test_every_section_and_kind_has_a_heading_and_no_section_is_a_global_key():
    plain = set(Config.__base__.model_fields)
    text = document.reference()
    head, *sections = text.split("\n## `")
    assert {part.split("`")[0] for part in sections} == set(Config.model_fields) - plain
    keys = [line.split("`")[1] for line in head.splitlines() if line.startswith("| `")]
    assert set(keys) == plain
    for section, kinds in kinds_by_section().items():
        part = next(part for part in sections if part.startswith(f"{section}`"))
        for kind in kinds:
            assert f": {kind}`\n" in part, f"{section}: {kind}"


def test_configfiles_are_merged_as_the_reference_says():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    shipped = copy.deepcopy(config["coseg"]["chair"])
    over = {"coseg": {"chair": {"poses": {"mine": "train_chairs"}, "methods": ["random"]}}}
    update_config(config, over)
    assert config["coseg"]["chair"]["poses"] == shipped["poses"] | {"mine": "train_chairs"}
    assert config["coseg"]["chair"]["methods"] == ["random"]
    assert config == merged(yaml.safe_load((ROOT / "config/config.yaml").read_text()), over)


def test_generated_schema_and_reference_are_up_to_date():
    hint = "run `python -m semcorr.config.document` in the root"
    assert (ROOT / "config/schema.json").read_text() == document.schema(), hint
    assert (ROOT / "docs/config.md").read_text() == document.reference(), hint


GRID = {
    "voxels": {"v": {"resolution": 16}},
    "latents": {"l": {"kind": "trellis_ss", "voxel": "v", "weights": KEYS[0]}},
    "features": {"f": {"kind": "hnsr", "latent": "l", "weights": KEYS[0], "guidance": -1}},
}


def test_references_of_optional_fields_count_like_any_other():
    pictures = {"render": "gone", "image_encoder": KEYS[0], "backbone": "tiny_vit"}
    wrong = GRID | {"features": {"f": GRID["features"]["f"] | pictures}}
    with pytest.raises(UserError, match="features.f.render: no entry 'gone'"):
        validate(changed(**wrong), KEYS)
    right = wrong | {"renders": {"gone": {"backend": "raycast"}}}
    entry = validate(changed(**right), KEYS).features["f"]
    assert ("render", "renders", "gone") in entry.references()
    assert ("image_encoder", "weights", KEYS[0]) in entry.references()


SLAT = {
    "voxels": {"v": {"resolution": 16}, "turned": {"resolution": 16, "yaws": 4}},
    "renders": {"r": {"backend": "raycast"}},
    "latents": {
        "sparse": {
            "kind": "trellis_slat",
            "voxel": "v",
            "render": "r",
            "weights": KEYS[0],
            "image_encoder": KEYS[0],
            "backbone": "tiny_vit",
        },
        "dense": {"kind": "trellis_ss", "voxel": "v", "weights": KEYS[0]},
    },
    "features": {
        "f": {"kind": "slat_states", "latent": "sparse", "weights": KEYS[0], "guidance": -1}
    },
}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("features__f__latent", "dense", "slat_states reads latents of form sparse, 'dense'"),
        ("features__f__kind", "hnsr", "hnsr reads latents of form grid, 'sparse' has form sparse"),
        ("latents__sparse__voxel", "turned", "the views show one pose, but 'turned' has 4"),
    ],
)
def test_latents_and_voxels_that_do_not_fit_are_refused(path, value, message):
    assert validate(changed(**SLAT), KEYS)
    section, name, key = path.split("__")
    entry = {name: SLAT[section][name] | {key: value}}
    with pytest.raises(UserError, match=message):
        validate(changed(**SLAT | {section: SLAT[section] | entry}), KEYS)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"matcher": "nearest", "feature": "f"}, "nearest reads sites features, 'f' gives grid"),
        (
            {"matcher": "hierarchical", "feature": "s", "align": "yaw"},
            "hierarchical reads grid features, 's' gives sites",
        ),
    ],
)
def test_a_matcher_that_reads_another_form_of_features_is_refused(method, message):
    both = GRID["features"] | {"s": LIFTED}
    there = GRID | {"features": both, "renders": {"r": {"backend": "raycast"}}}
    with pytest.raises(UserError, match=f"methods.m.feature: {message}"):
        validate(changed(**there, methods__m=method), KEYS)


def test_more_levels_than_the_voxels_allow_are_refused():
    method = {"matcher": "hierarchical", "feature": "f"}
    assert validate(changed(**GRID, methods__m=method | {"levels": 5}), KEYS)
    with pytest.raises(
        UserError, match="methods.m.levels: 8 halve the grid 7 times, .*: set fewer"
    ):
        validate(changed(**GRID, methods__m=method | {"levels": 8}), KEYS)


@pytest.mark.parametrize(
    ("align", "voxels", "message"),
    [
        (
            "yaw",
            {"rotations": 4},
            "methods.m.align: yaw needs a feature whose voxels have `yaws` > 1",
        ),
        ("rotation", {"yaws": 4}, "rotation needs a feature whose voxels have `rotations` > 1"),
        ("none", {"yaws": 4, "rotations": 4}, "yaws and rotations: one of them must be 1"),
    ],
)
def test_a_search_needs_the_poses_that_it_searches(align, voxels, message):
    method = {"matcher": "hierarchical", "feature": "f", "levels": 1, "align": align}
    wrong = GRID | {"voxels": {"v": {"resolution": 16} | voxels}}
    with pytest.raises(UserError, match=message):
        validate(changed(**wrong, methods__m=method), KEYS)
    right = {"yaw": {"yaws": 4}, "rotation": {"rotations": 4}, "none": {}}[align]
    assert validate(
        changed(**GRID | {"voxels": {"v": {"resolution": 16} | right}}, methods__m=method), KEYS
    )


def test_an_angle_is_no_free_rotation():
    turned = {"kind": "turned", "from": "chairs", "rotation": "any"}
    sets = SMALL["datasets"] | {"b": turned}
    assert validate(changed(datasets=sets), KEYS)
    sets = sets | {"b": turned | {"yaw": 30.0}}
    with pytest.raises(UserError, match="datasets.b.*30 degrees are for rotation: yaw"):
        validate(changed(datasets=sets), KEYS)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"lables": "x.json"}, "lables: no such key here; did you mean 'labels'?"),
        ({"methods__spatial__alignn": "yaw"},
         "methods.spatial.alignn: no such key here; did you mean 'align'?"),
        ({"exports": {"colouring": []}},
         "exports.colouring: no such key here; did you mean 'colourings'?"),
        ({"models": {"m": {"kind": "ss_vae", "optimiser": {"rate": 1}}}},
         "models.m.optimiser.rate: no such key here; docs"),
        # a key of another section is no remedy
        ({"exports": {"timesteps": []}}, "exports.timesteps: no such key here; docs"),
        ({"coseg__chair__methods": "random"}, "coseg.chair.methods: Input should be a list, [...]"),
        ({"coseg__chair__methods": ["randm"]}, "coseg.chair.methods: no such entry 'randm'"),
        ({"datasets__chairs_yaw__from": "chair"},
         "datasets.chairs_yaw.from: no entry 'chair' in `datasets` (there are: chairs, chairs_yaw)"),
    ],
)  # fmt: skip
def test_an_error_is_a_line_with_the_key_and_the_remedy(changes, line):
    with pytest.raises(UserError) as error:
        validate(changed(**changes), KEYS)
    lines = str(error.value).splitlines()
    assert [found for found in lines if found.startswith(f"  {line}")], lines


def test_no_number_is_infinite_or_none():
    for value in (float("nan"), float("inf")):
        with pytest.raises(UserError, match="datasets.chairs_yaw.yaw: .*finite"):
            validate(changed(datasets__chairs_yaw__yaw=value), KEYS)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("sources", ["a", "b", "a"]),
        ("targets", ["a", "a"]),
        ("methods", ["random", "random"]),
        ("votes", ["all", 2, "all"]),
    ],
)
def test_nothing_comes_twice_in_an_experiment(key, values):
    with pytest.raises(UserError, match=f"coseg.chair: {key}: '{values[-1]}' comes twice"):
        validate(changed(**{f"coseg__chair__{key}": values}), KEYS)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"datasets__chairs__count": 1}, "chair_1_00000"),
        (
            {
                "coseg__chair__sources": ["chair_1_00002"],
                "coseg__chair__targets": ["chair_1_00002"],
            },
            "chair_1_00002",
        ),
    ],
)
def test_an_experiment_without_a_pair_is_told_while_planning(changes, shape):
    plan = Plan(validate(changed(**changes), KEYS))
    with pytest.raises(UserError, match=f"chair: no pair at all in aligned: '{shape}' is the only"):
        plan.matches()
    two = Plan(validate(changed(datasets__chairs__count=2, datasets__chairs__chunks=2), KEYS))
    assert two.matches()


def test_modules_that_options_name_are_found_without_importing_them():
    assert modules_with("datasets/shapes", "CATEGORY") == tuple(categories())
    assert modules_with("networks/zoo", "SPEC") == tuple(
        sorted(module.name for module in pkgutil.iter_modules(zoo.__path__))
    )
