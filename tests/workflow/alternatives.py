"""Every key of every variant section, from the pydantic models, with another valid value for each.

The keys are found by walking the models (kinds included), not listed: a key that is added tomorrow is
tested tomorrow, or fails here because no other value was found for it.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import small
from pydantic import BaseModel, ValidationError

from semcorr.config.base import section_referred_to
from semcorr.config.load import dump, validate
from semcorr.config.root import EXPERIMENT_SECTIONS, VARIANT_SECTIONS, Config
from semcorr.config.sections import DISCRIMINATORS
from semcorr.errors import UserError

# Where no rule finds a sensible value: (section, key) -> value
CHOSEN: dict[tuple[str, str], Any] = {
    ("renders", "rig"): "orbit",
    ("renders", "positions"): [[0.0, -3.0, 0.0], [0.3, -3.0, 0.1]],
    ("datasets", "root"): "pack_elsewhere",
    ("datasets", "items"): "items_again.csv",
    ("datasets", "yaw"): 30.0,
    ("datasets", "ids"): "pack/planes.txt",
    ("datasets", "points"): "pack_elsewhere/points",
    ("datasets", "annotations"): "pack_elsewhere/listed",
    ("datasets", "synset"): "03001627",
    ("datasets", "labels"): {"0": "seat", "1": "back", "2": "foot", "3": "arm"},
    ("datasets", "classes"): {"upper": ["back", "arm"], "lower": ["seat", "leg"]},
    ("datasets", "list"): "pack/net_again.csv",
    ("datasets", "truth"): "pack/net_again_truth",
    ("datasets", "url"): "http://127.0.0.1:9/elsewhere",
    ("datasets", "github"): "http://127.0.0.1:9/elsewhere",
    ("datasets", "thingiverse"): "http://127.0.0.1:9/elsewhere",
    ("datasets", "smithsonian"): "http://127.0.0.1:9/elsewhere",
    ("datasets", "sketchfab"): "http://127.0.0.1:9/elsewhere",
    ("latents", "backbone"): "mobilenetv2_100",
    ("features", "layers"): {"norm": 0.5},
    ("features", "backbone"): "mobilenetv2_100",
    ("features", "more_layers"): [],
    ("methods", "layer"): 1,
    ("models", "categories"): ["chair", "chair"],
    ("models", "channels"): [8, 8],
    ("models", "backbone"): "dinov2_vits14",
    ("models", "datasets"): ["chairs"],
    ("coseg", "poses"): {"aligned": "chairs"},
    ("coseg", "targets"): ["chair_9_00002", "chair_9_00003"],
    ("coseg", "source_poses"): {"aligned": "extra", "turned": "extra"},
    ("coseg", "part_names"): {"leg": "seat"},
    ("coseg", "votes"): [2, "all"],
    ("keypoints", "source_category"): "table",
    ("texture", "source_category"): "table",
    ("keypoints", "category"): "table",
    ("keypoints", "poses"): {"aligned": "pack", "once_more": "pack"},
    ("keypoints", "sources"): ["a"],
    ("keypoints", "targets"): ["d"],
    ("texture", "category"): "table",
    ("texture", "poses"): {"aligned": "pack", "once_more": "pack"},
    ("texture", "sources"): ["a"],
    ("texture", "targets"): ["d"],
    ("dense", "poses"): {"aligned": "pack", "once_more": "pack"},
    ("dense", "sources"): ["c"],
    ("dense", "targets"): ["c"],
}
# Keys whose only value is the one there is, or that no single change can vary; why
FIXED: dict[tuple[str, str], str] = {
    (
        "datasets",
        "category",
    ): "one of procedural shapes; of a ShapeNet set, experiments choose by it",
    ("dense", "category"): "no pair of tables is known: test_dense_stages.py",
    ("dense", "source_category"): "refused: test_config.py",
    ("dense", "source_poses"): "refused: test_config.py",
    (
        "coseg",
        "source_category",
    ): "as `category`, and tested with the sources of the two other tasks",
    ("keypoints", "source_poses"): "the sources are ids of one set; tested with `coseg`",
    ("texture", "source_poses"): "the same",
    ("coseg", "category"): "a data set has one category here: test_an_empty_category_is_refused",
}


@dataclass(frozen=True)
class Key:
    """One key of one entry, and the configuration in which it has another value.

    Attributes:
        section, entry, path: where it is; `path` has two parts for a nested key.
        value: the other value.
        planning: whether the models declare it a planning key.
        config: the whole changed configuration.
    """

    section: str
    entry: str
    path: tuple[str, ...]
    value: Any
    planning: bool
    config: dict[str, Any]

    def __str__(self) -> str:
        return ".".join((self.section, self.entry, *self.path))


def sections() -> list[str]:
    return [*VARIANT_SECTIONS, *EXPERIMENT_SECTIONS]


def keys() -> list[Key]:
    """Return all keys of all kinds, each for the first entry of its kind that can change it."""
    found = []
    for section in sections():
        entries = getattr(validated(small.CONFIG), section)
        for model in dict.fromkeys(type(entry) for entry in entries.values()):
            same = {name: entry for name, entry in entries.items() if type(entry) is model}
            for path, info in fields(model):
                if not skipped(section, path, info):
                    found.append(key_of(section, same, path, info))
    return found


def key_of(section: str, entries: dict[str, Any], path: tuple[str, ...], info: Any) -> Key:
    """Return a key with the first other value with which the whole configuration is valid."""
    tried = []
    for name, entry in entries.items():
        written = tuple(alias(type(entry), path))
        value = entry
        for step in path:
            value = getattr(value, step)
        for candidate in candidates(section, path, info, value):
            config = deepcopy(small.CONFIG)
            small.set_at(config[section][name], list(written), candidate)
            tried.append(candidate)
            if differs(config):
                planning = path[0] in getattr(entry, "PLANNING", ())
                return Key(section, name, written, candidate, planning, config)
    raise AssertionError(
        f"{section}.{'.'.join(path)}: no other valid value among {tried}; add one to CHOSEN,"
        " or say in FIXED why there is none"
    )


def fields(model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (path, field) of all fields, those of nested models one by one."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            for (below,), inner in fields(info.annotation):
                yield (name, below), inner
        else:
            yield (name,), info


def skipped(section: str, path: tuple[str, ...], info: Any) -> bool:
    """Whether a key has no second value: a discriminator with one, or one that is explained."""
    discriminator = path == (DISCRIMINATORS.get(section, "kind"),)
    one = get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1
    return (discriminator and one) or (section, path[-1]) in FIXED


def alias(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the names that a user writes."""
    yield model.model_fields[path[0]].alias or path[0]
    yield from path[1:]


def candidates(section: str, path: tuple[str, ...], info: Any, value: Any) -> Iterator[Any]:
    """Yield values to try."""
    if (section, path[-1]) in CHOSEN:
        yield CHOSEN[section, path[-1]]
    referred = section_referred_to(info)
    if referred == "weights":
        yield from (n for n in ("trellis_ss_dec", *small.CONFIG["models"]) if n != value)
    elif referred is not None:
        yield from (n for n in small.CONFIG[referred] if n != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 2, value + 4, value - 1, value / 2, value + 0.1, value - 0.1)
    elif isinstance(value, tuple):
        yield list(value)[:-1]
        yield [*value, 10.0]
    for part in (info.annotation, *get_args(info.annotation)):
        if get_origin(part) is Literal:
            yield from (choice for choice in get_args(part) if choice != value)


def validated(raw: dict[str, Any]) -> Config:
    """Return the validated configuration; all assets of the table count as known."""
    from semcorr.assets.table import asset_keys

    return validate(deepcopy(raw), asset_keys())


def differs(raw: dict[str, Any]) -> bool:
    """Whether a configuration is valid and another one."""
    try:
        return dump(validated(raw)) != dump(validated(small.CONFIG))
    except (UserError, ValidationError):
        return False
