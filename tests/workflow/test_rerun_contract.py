"""The rerun contract: what is planned after a change, on the real Snakefile with a small configuration.

Every key of every variant section goes through Snakemake itself: a dry run in a forked child of a server that
has imported Snakemake once (a third of a second each; `test_scale.py` compares it with a process of its
own). The expected files come from walk.py, which knows the design's table of artefacts and the
configuration's references, and neither Snakemake nor semcorr.planning.
"""

import os
import shutil
import time
from copy import deepcopy

import alternatives
import harness
import pytest
import small
import small_pack
from walk import Walk

KEYS = alternatives.keys()


@pytest.fixture(scope="module")
def plans(prepared, tmp_path_factory):
    """Function {name: configuration (or text)} -> {name: plan}; results are shared, never changed."""
    write_other_packs(prepared)

    def make(configs, repository=None):
        works = {}
        for name, config in configs.items():
            works[name] = prepared.clone(tmp_path_factory.mktemp("clone") / "work")
            (works[name].folder / "pack").symlink_to(prepared.folder / "pack")
            (works[name].folder / "pack_elsewhere").symlink_to(prepared.folder / "pack_elsewhere")
            works[name].write_config(config)
        found = prepared.server.plans([(work, small.TARGETS) for work in works.values()])
        return dict(zip(works, found, strict=True))

    return make


def write_other_packs(prepared):
    """Write what `root`, `items`, `list` and `truth` may name instead: the same lists, other folders."""
    shutil.copy2(prepared.folder / "pack/items.csv", prepared.folder / "pack/items_again.csv")
    small_pack.write_pack(prepared.folder / "pack_elsewhere")
    small_pack.write_objects(prepared.folder / "pack", "net_again")


@pytest.fixture(scope="module")
def key_plans(plans):
    """Plans of all changed keys, made as many at once as there are processors."""
    return plans({str(key): key.config for key in KEYS})


def test_the_walk_knows_every_file_of_the_prepared_run(prepared, before):
    found = {
        f"results/{path.relative_to(prepared.results).as_posix()}"
        for path in prepared.results.rglob("*")
        if path.suffix in (".json", ".zarr", ".png", ".csv", ".safetensors", ".parquet")
        and path.name != "costs.parquet"  # of this run, no result
        and ".zarr/" not in path.as_posix()
        and not any(part.startswith(".") for part in path.parts)
        and "results/assets/" not in path.as_posix()
    }
    named = {path for path in before.signatures if not path.startswith("results/assets/")}
    assert named == found


def test_a_second_run_plans_nothing(plans):
    plan = plans({"same": small.CONFIG})["same"]
    assert (plan.code, plan.outputs) == (0, frozenset()), plan.text


def test_every_kind_of_every_section_is_in_the_configuration():
    from semcorr.config.sections import kinds_by_section

    config = alternatives.validated(small.CONFIG)
    there = {
        (section, type(entry))
        for section in kinds_by_section()
        for entry in getattr(config, section).values()
    }
    missing = [
        f"{section}.{kind}"
        for section, kinds in kinds_by_section().items()
        for kind, model in kinds.items()
        if (section, model) not in there
    ]
    assert missing == []


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_changed_key_plans_exactly_what_rests_on_it(key, key_plans, before, prepared):
    plan = key_plans[str(key)]
    assert plan.code == 0, plan.text
    expected = Walk(key.config, prepared.folder).everything().changed_since(before)
    assert sorted(plan.outputs) == sorted(expected), plan.text[-3000:]
    in_use = not key.entry.startswith("other")
    assert not in_use or key.planning or expected, "the key of a variant in use changes nothing"


def test_views_of_masks_and_depth_change_with_those_of_their_feature(plans, before, prepared):
    """They must agree, so that no single key can change the views of a mask or depth in use."""
    places = ("masks__outline", "depth__exact", "features__masked")
    config = small.config(**{f"{place}__render": "placed" for place in places})
    plan = plans({"both": config})["both"]
    expected = Walk(config, prepared.folder).everything().changed_since(before)
    assert plan.outputs == expected, plan.text[-2000:]
    variants = ("masks/outline", "depth/exact")
    assert {f"results/{v}/pack/{chunk}.json" for v in variants for chunk in (0, 1)} <= expected


PLANNED_BY_NOTHING = (
    "datasets.pack.items",
    "datasets.planes.ids",
    "datasets.net.list",
    "datasets.net.url",
    "datasets.net.connections",
    "datasets.xl.list",
    "datasets.xl.connections",
    "datasets.xl.github",
    "datasets.xl.thingiverse",
    "datasets.xl.smithsonian",
    "datasets.xl.sketchfab",
    "models.vae.checkpoint_seconds",
    "models.encoder.checkpoint_seconds",
    "models.flow.checkpoint_seconds",
)


def test_planning_keys_rerun_nothing_by_themselves(key_plans):
    """Another name of the same list, another interval: nothing; the others change who is where."""
    assert set(PLANNED_BY_NOTHING) <= {str(key) for key in KEYS if key.planning}
    for name in PLANNED_BY_NOTHING:
        assert key_plans[name].outputs == frozenset(), name


GLOBAL = {"seed": 1, "precision": "bf16"}
OPERATIONAL = {
    "device": "auto",
    "attention": "sdpa",
    "offline": False,
    "accept_licences": ["trellis_ss_enc"],
    "min_coverage": 0.5,
    "blender": "/opt/blender/blender",
    "scratch": "/tmp",
    "keep_renders": False,
    # of meshes on request: test_exports.py
    "exports": {"texture_size": 64, "colourings": ["rainbow"]},
    # pictures of a target of its own: test_looks_of_latents.py
    "decodings": {"seen": {"dataset": "pack", "latent": "tiny", "decoder": "vae"}},
    "samplings": {"drawn": {"weights": "flow", "decoder": "vae"}},
    # features, methods and scores of a target of its own: test_sweep.py
    "sweeps": {
        "steps": {"experiment": "corners", "method": "states", "timesteps": [3], "layers": [0, 1]}
    },
}


def test_every_global_key_is_tested():
    from semcorr.config.root import Config

    sections = set(alternatives.sections())
    assert set(Config.model_fields) - sections == GLOBAL.keys() | OPERATIONAL.keys()


def test_global_keys_plan_everything_and_operational_ones_nothing(plans, before, prepared):
    values = GLOBAL | OPERATIONAL
    found = plans({name: small.config(**{name: value}) for name, value in values.items()})
    for name in GLOBAL:
        walk = Walk(small.config(**{name: values[name]}), prepared.folder).everything()
        assert found[name].outputs == walk.changed_since(before), name
        fetched = {p for p in walk.signatures if p.startswith(("results/assets/", "results/raw/"))}
        assert found[name].outputs >= walk.signatures.keys() - fetched - _charts(walk), name
    for name in OPERATIONAL:
        assert found[name].outputs == frozenset(), (name, found[name].text[-2000:])


ADDED = {  # method -> what only its presence brings, beside its maps and scores
    "another_random": {"matcher": "random"},
    "nearest": small.CONFIG["methods"]["nearest"],
}


@pytest.mark.parametrize("name", ADDED)
def test_a_method_added_to_an_experiment_plans_only_what_is_new_and_the_merge(
    name, plans, before, prepared
):
    there = small.CONFIG["coseg"]["seats"]["methods"]
    config = small.config(
        **{f"methods__{name}": ADDED[name], "coseg__seats__methods": [*there, name]}
    )
    plan = plans({"more": config})["more"]
    walk = Walk(config, prepared.folder).everything()
    assert plan.outputs == walk.changed_since(before), plan.text[-2000:]
    new = walk.signatures.keys() - before.signatures.keys()
    assert {p for p in new if p.startswith((f"results/matches/{name}/", "results/coseg/"))} == {
        f"results/coseg/seats/{name}.json",
        *(f"results/matches/{name}/seats/{pose}/{chunk}.{kind}"
          for pose in ("aligned", "turned") for chunk in (0, 1) for kind in ("json", "zarr")),
    }  # fmt: skip
    again = plan.outputs - new
    assert "results/coseg/seats.json" in again
    assert {p for p in again if not p.startswith("results/figures/")} == {
        "results/coseg/seats.json"
    }
    if name == "another_random":
        assert {p.split("/")[1] for p in new} == {"matches", "coseg"}
    else:  # views and features of these data sets are new, those of the other experiment are not
        assert any(p.startswith("results/features/lifted/chairs_yaw/") for p in new)


def _charts(walk):
    # rest on tables alone; planned because the tables are
    return {path for path in walk.signatures if path.endswith((".png", "figures/costs.csv"))}


def other_spellings():
    """Return configurations that mean the same."""
    config = small.CONFIG
    normal = alternatives.dump(alternatives.validated(config))
    reordered = _reversed(config)
    yaml_text = harness.json.dumps(config, indent=3).replace('"seed": 0,', '"seed": 0,  # why', 1)
    return {
        "every default written out": normal,
        "keys in another order": reordered,
        "a comment and other indentation": "# first line\n" + yaml_text,
        "an unused variant more": _with(config, ["renders", "unused"], {"backend": "raycast"}),
        "an unused data set more": _with(config, ["datasets", "unused"], {"kind": "procedural"}),
        "a folder given with a dot": _with(config, ["datasets", "pack", "root"], "./pack"),
        "a folder given by a variable": _with(config, ["datasets", "pack", "root"], "$PACK_ROOT"),
        "sources given by their ids": _with(
            config, ["coseg", "seats", "sources"], ["chair_9_00000", "chair_9_00001"]
        ),
    }


def _with(config, path, value):
    found = deepcopy(config)
    small.set_at(found, path, value)
    return found


def _reversed(value):
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return value


SPELLINGS = other_spellings()


@pytest.fixture(scope="module")
def spelling_plans(plans, prepared):
    prepared.environment["PACK_ROOT"] = "pack"
    return plans(SPELLINGS)


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_of_the_same_plans_nothing(name, spelling_plans):
    plan = spelling_plans[name]
    assert plan.code == 0, plan.text
    if name == "sources given by their ids":  # what scores know of the experiment is written there
        assert not any("/matches/" in path for path in plan.outputs), plan.outputs
    else:
        assert plan.outputs == frozenset(), plan.text[-2000:]


WRONG = {
    "datasets.chairs.cuont": 5,
    "renders.views.viewz": 3,
    "features.states.tiemstep": 3,
    "models.vae.optimiser.learning_rat": 0.1,
    "coseg.seats.soruces": 2,
    "coseg.seats.sources": 0,
    "keypoints.corners.targets": [],
    "sede": 1,
    "renders.views.elevations.0": ["low"],
    "coseg.seats.poses.Turned": "chairs",
    "methods.guided.temperature": -1,
    "voxels.s16.resolution": "many",
}


@pytest.fixture(scope="module")
def wrong_plans(plans):
    # the number of a list's element is said, the list is written
    written = {path: path.rstrip(".0123456789").split(".") for path in WRONG}
    return plans({path: _with(small.CONFIG, written[path], v) for path, v in WRONG.items()})


@pytest.mark.parametrize("path", WRONG)
def test_a_misspelt_key_or_wrong_value_stops_with_its_full_path(path, wrong_plans):
    plan = wrong_plans[path]
    assert plan.code == 1
    assert plan.outputs == frozenset()
    assert f"{path}: " in plan.text, plan.text
    assert "Traceback" not in plan.text


def test_an_empty_category_and_unknown_ids_are_refused_in_one_line(plans):
    found = plans(
        {
            "category": small.config(coseg__seats__category="table"),
            "source": small.config(coseg__seats__sources=["chair_9_00000", "gone"]),
            "target": small.config(keypoints__corners__targets=["gone"]),
            "grammar": small.config(datasets__extra__category="spaceship"),
        }
    )
    assert "seats: no item of chairs has category 'table'" in found["category"].text
    assert "seats: no item 'gone' in data set chairs" in found["source"].text
    assert "corners: no item 'gone' in data set pack" in found["target"].text
    assert "spaceship" in found["grammar"].text
    for plan in found.values():
        assert plan.code == 1
        # Snakemake itself says in which rule; no line of Python
        assert "most recent call" not in plan.text, plan.text
        assert '.py"' not in plan.text, plan.text


def test_an_experiment_whose_data_are_not_there_does_not_stop_the_others(plans, server, prepared):
    config = small.config(datasets__pack__root="$NOWHERE_AT_ALL/pack")
    work = prepared.clone(prepared.folder.parent / "without_data/work")
    work.write_config(config)
    good, bad = server.plans(
        [(work, ["results/coseg/seats.json"]), (work, ["results/keypoints/corners.json"])]
    )
    assert (good.code, good.outputs) == (0, frozenset()), good.text
    assert bad.code == 1
    assert "no such item list; set `root`" in bad.text


# -- changes of files: each in a copy of the prepared tree ------------------------------------


@pytest.fixture
def copied(prepared, tmp_path):
    return prepared.copy(tmp_path / "work")


def planned(work, repository=None):
    """Return what a dry run of all targets plans."""
    plan = work.plan(*small.TARGETS)
    assert plan.code == 0, plan.text
    return plan.outputs


def walked(work):
    return Walk(small.CONFIG, work.folder).everything()


def test_touched_inputs_and_weights_plan_nothing(copied):
    time.sleep(0.01)
    for path in [*copied.folder.joinpath("pack").rglob("*"), *copied.results.rglob("assets/**/*")]:
        if path.is_file():
            os.utime(path)
    for name in ("vae/model.json", "vae/weights.safetensors", "encoder/weights.safetensors"):
        os.utime(copied.results / "models" / name)
    assert planned(copied) == frozenset()


def test_touched_manifests_and_stores_plan_nothing(copied):
    for path in copied.results.rglob("*"):
        if path.is_file() and (path.stem.isdigit() or ".zarr/" in path.as_posix()):
            os.utime(path)
    for path in copied.results.rglob("*.zarr"):
        os.utime(path)
    assert planned(copied) == frozenset()


def test_a_working_folder_that_was_moved_plans_nothing(copied, tmp_path):
    copied.folder.rename(tmp_path / "moved")
    copied.folder = tmp_path / "moved"
    assert planned(copied) == frozenset()


def test_a_data_folder_behind_another_link_plans_nothing(prepared, plans, tmp_path):
    """Data that moved to another disk, with a link where they were."""
    shutil.copytree(prepared.folder / "pack", tmp_path / "disk")  # copies time stamps too
    work = prepared.copy(tmp_path / "work")
    shutil.rmtree(work.folder / "pack")
    (work.folder / "pack").symlink_to(tmp_path / "disk")
    assert planned(work) == frozenset()


def test_a_changed_mesh_or_label_file_plans_its_chain(copied, before):
    pack = copied.folder / "pack"
    (pack / "a.obj").write_text((pack / "a.obj").read_text().replace("0.4", "0.41", 3))
    expected = before.below({"results/meshes/pack/1.json"})
    assert planned(copied) == expected
    shutil.copy2(pack / "c.obj", pack / "a.obj")
    (pack / "labels/c.json").write_text((pack / "labels/c.json").read_text().replace("0", "1", 1))
    assert planned(copied) >= before.below({"results/truth/pack/0.json"})


def edited(path):
    """Write other contents of the same length."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


NAMED = {  # file -> chunk of the mesh that names it
    "paint/a.mtl": 1,
    "paint/a.png": 1,
    "d data.bin": 0,
}


@pytest.mark.parametrize("name", NAMED)
def test_a_changed_file_that_a_mesh_names_plans_its_chain(name, copied, before):
    os.utime(copied.folder / "pack" / name)
    assert planned(copied) == frozenset()
    edited(copied.folder / "pack" / name)
    assert planned(copied) == before.below({f"results/meshes/pack/{NAMED[name]}.json"})


def test_another_part_folder_belongs_to_other_contents_of_a_named_file(copied):
    """What was kept of a killed job is not mixed with what the edited buffer says."""
    from semcorr.store.pack import PackedReader

    store = copied.results / "meshes/pack/0.zarr"
    before = PackedReader(store).attributes["key"]
    edited(copied.folder / "pack/d data.bin")
    copied.run("results/meshes/pack/0.json")
    assert PackedReader(store).attributes["key"] != before


ITEM_CHANGES = {
    "added to a chunk without a source": (*small_pack.ROWS, "f,f.obj,chair,"),
    "added to the chunk of the source": (*small_pack.ROWS, "e,e.obj,chair,"),
    "removed": small_pack.ROWS[:2] + small_pack.ROWS[3:],
    "another file": ("a,c.obj,chair,", *small_pack.ROWS[1:]),
    "another axis": ("a,a.obj,chair,+z", *small_pack.ROWS[1:]),
    "another category": ("a,a.obj,table,", *small_pack.ROWS[1:]),
    "in another order": tuple(reversed(small_pack.ROWS)),
}


@pytest.mark.parametrize("name", ITEM_CHANGES)
def test_an_edited_item_list_plans_its_chunks_chain(name, prepared, tmp_path, before):
    work = prepared.clone(tmp_path / "work")
    shutil.copytree(prepared.folder / "pack", work.folder / "pack")
    small_pack.write_item(work.folder / "pack", "e", 1.5)
    small_pack.write_item(work.folder / "pack", "f", 1.6)
    small_pack.write_items(work.folder / "pack", ITEM_CHANGES[name])
    work.write_config(small.CONFIG)
    expected = walked(work).changed_since(before)
    assert planned(work) == expected
    if name == "in another order":
        assert expected == set()
        return
    source_chunk = name in ("added to the chunk of the source", "removed")
    chunk = 0 if source_chunk else 1
    if name != "another category":
        assert f"results/meshes/pack/{chunk}.json" in expected
    assert f"results/meshes/pack/{1 - chunk}.json" not in expected
    matches = {p for p in before.signatures if "/matches/" in p and "/corners/" in p}
    if source_chunk:
        assert matches <= expected
    elif name != "another category":
        assert {p for p in matches if f"/{chunk}." in p} == expected & matches


def test_an_identical_re_creation_plans_nothing_downstream(copied):
    """From the next run on: the producer alone first, then everything."""
    made = ("meshes/pack/0", "features/lifted/pack/0", "meshes/chairs/0")
    for name in made:
        shutil.rmtree(copied.results / f"{name}.zarr")
        (copied.results / f"{name}.json").unlink()
    copied.run(*(f"results/{name}.json" for name in made))
    assert planned(copied) == frozenset()


def test_a_missing_store_or_weights_file_is_made_again_once_it_is_needed(copied, before):
    """Final results that are there need nothing; what is to be made needs its inputs whole."""
    shutil.rmtree(copied.results / "features/lifted/pack/1.zarr")
    (copied.results / "models/vae/weights.safetensors").unlink()
    shutil.rmtree(copied.results / "assets/trellis_ss_enc")
    assert planned(copied) == frozenset()
    made = {
        "matches/nearest/corners/aligned/1.json": "features/lifted/pack/1.zarr",
        "models/flow/model.json": "models/vae/weights.safetensors",
        "latents/tiny/pack/0.json": "assets/trellis_ss_enc",
    }
    for name in made:
        (copied.results / name).unlink()
    plan = copied.plan(*(f"results/{name}" for name in made))
    assert plan.outputs >= {f"results/{name}" for pair in made.items() for name in pair}
