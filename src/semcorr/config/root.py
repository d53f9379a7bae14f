"""The whole configuration and its check across sections."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, create_model, model_validator

from semcorr.config.base import Name, Strict
from semcorr.config.experiments import Cosegmentation, Dense, Experiment
from semcorr.config.exports import Exports
from semcorr.config.looks import Decoding, Sampling
from semcorr.config.renders import Render
from semcorr.config.sections import entry_type
from semcorr.config.sweeps import Sweep
from semcorr.config.voxels import Voxel

EXPERIMENT_SECTIONS = ("coseg", "keypoints", "texture", "dense")
KIND_SECTIONS = ("datasets", "masks", "depth", "latents", "features", "methods", "models")
VARIANT_SECTIONS = (
    *(
        "datasets",
        "renders",
        "masks",
        "depth",
        "voxels",
        "latents",
        "features",
        "methods",
        "models",
    ),
)
LOOK_SECTIONS = ("decodings", "samplings")
GLOBAL_KEYS = ("seed", "precision")


class _Base(Strict):
    """Global keys. Those of GLOBAL_KEYS change results and are part of every rule's `cfg`."""

    seed: int = Field(0, ge=0, description="global seed; every other seed derives from it")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="arithmetic of the networks")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where networks run")
    attention: Literal["auto", "sdpa", "xformers"] = Field("auto", description="attention kernel")
    offline: bool = Field(False, description="forbid the network")
    accept_licences: tuple[str, ...] = Field((), description="asset keys whose terms you accept")
    min_coverage: float = Field(
        0.9, ge=0, le=1, description="share of pairs that must have a map and a readable truth"
    )
    blender: str | None = Field(None, description="Blender executable or Python with bpy")
    scratch: str | None = Field(
        None,
        description="folder of a node's own disk for views on their way; variables are expanded",
    )
    keep_renders: bool = Field(
        True, description="false: views are removed once all that reads them is done"
    )

    def voxel_behind(self, feature: str) -> str:
        """Return the `voxels` entry on which grid features rest: their own, or their latents'."""
        entry = self.features[feature]
        return getattr(entry, "voxel", None) or self.latents[entry.latent].voxel

    @model_validator(mode="after")
    def _references_exist(self):
        for section in (*VARIANT_SECTIONS, *LOOK_SECTIONS):
            for name, entry in getattr(self, section).items():
                for field, target, value in entry.references():
                    if target != "weights" and value not in getattr(self, target):
                        raise ValueError(
                            f"{section}.{name}.{field}: no entry {value!r} in `{target}`"
                            f" (there are: {', '.join(getattr(self, target)) or 'none'})"
                        )
        return self

    @model_validator(mode="after")
    def _turned_from_a_real_one(self):
        for name, entry in self.datasets.items():
            if entry.kind == "turned" and self.datasets[entry.from_].kind == "turned":
                raise ValueError(f"datasets.{name}.from: {entry.from_!r} is turned itself")
        return self

    @model_validator(mode="after")
    def _experiments_fit(self):
        seen: dict[str, str] = {}
        for section in EXPERIMENT_SECTIONS:
            for name, experiment in getattr(self, section).items():
                if name in seen:
                    raise ValueError(f"{section}.{name}: the name is taken by {seen[name]}.{name}")
                seen[name] = section
                for kind, used, there in (
                    ("methods", experiment.methods, self.methods),
                    ("poses", experiment.poses.values(), self.datasets),
                    ("source_poses", experiment.source_poses.values(), self.datasets),
                ):
                    for value in used:
                        if value not in there:
                            raise ValueError(
                                f"{section}.{name}.{kind}: no such entry {value!r}"
                                f" (there are: {', '.join(there)})"
                            )
        return self

    @model_validator(mode="after")
    def _sweeps_have_steps_and_layers(self):
        for name, sweep in self.sweeps.items():
            known = [n for section in EXPERIMENT_SECTIONS for n in getattr(self, section)]
            for field, value, there in (
                ("experiment", sweep.experiment, known),
                ("method", sweep.method, self.methods),
            ):
                if value not in there:
                    raise ValueError(
                        f"sweeps.{name}.{field}: no such entry {value!r}"
                        f" (there are: {', '.join(there)})"
                    )
            feature = self.features.get(getattr(self.methods[sweep.method], "feature", ""))
            if getattr(feature, "kind", None) != "hnsr":
                raise ValueError(
                    f"sweeps.{name}.method: {sweep.method!r} rests on no features of kind hnsr"
                )
        return self

    @model_validator(mode="after")
    def _matchers_get_the_form_they_read(self):
        for name, method in self.methods.items():
            if method.FEATURE_FORM == "none":
                continue
            form = self.features[method.feature].FORM
            if form != method.FEATURE_FORM:
                raise ValueError(
                    f"methods.{name}.feature: {method.matcher} reads {method.FEATURE_FORM} features,"
                    f" {method.feature!r} gives {form}"
                )
        return self

    @model_validator(mode="after")
    def _layers_are_kept(self):
        for name, method in self.methods.items():
            layer = getattr(method, "layer", None)
            if layer is None:
                continue
            kept = getattr(self.features[method.feature], "more_layers", ())
            if layer not in kept:
                raise ValueError(
                    f"methods.{name}.layer: {method.feature!r} keeps of further layers"
                    f" {list(kept)}: name {layer} in its `more_layers`"
                )
        return self

    @model_validator(mode="after")
    def _latents_have_the_form_that_is_read(self):
        for name, decoding in self.decodings.items():
            if self.latents[decoding.latent].FORM != "grid":
                raise ValueError(
                    f"decodings.{name}.latent: {decoding.latent!r} is no grid; name latents of kind"
                    " trellis_ss"
                )
        for name, feature in self.features.items():
            wanted = getattr(feature, "LATENT_FORM", None)
            if wanted and self.latents[feature.latent].FORM != wanted:
                raise ValueError(
                    f"features.{name}.latent: {feature.kind} reads latents of form {wanted},"
                    f" {feature.latent!r} has form {self.latents[feature.latent].FORM}"
                )
        return self

    @model_validator(mode="after")
    def _views_show_one_pose(self):
        for section in ("latents", "features"):
            for name, entry in getattr(self, section).items():
                voxel, render = (getattr(entry, key, None) for key in ("voxel", "render"))
                if voxel and render and self.voxels[voxel].poses > 1:
                    raise ValueError(
                        f"{section}.{name}.voxel: the views show one pose, but {voxel!r} has"
                        f" {self.voxels[voxel].poses}: name voxels with yaws and rotations 1"
                    )
        return self

    @model_validator(mode="after")
    def _masks_and_depth_belong_to_the_views(self):
        for name, feature in self.features.items():
            for field, entries in (("mask", self.masks), ("depth", self.depth)):
                used = getattr(feature, field, None)
                if used is not None and entries[used].render != feature.render:
                    raise ValueError(
                        f"features.{name}.{field}: {used!r} is of views {entries[used].render!r},"
                        f" the feature is of views {feature.render!r}"
                    )
        return self

    @model_validator(mode="after")
    def _search_has_poses(self):
        for name, method in self.methods.items():
            if method.matcher == "hierarchical" and method.align != "none":
                voxel = self.voxel_behind(method.feature)
                poses = f"{method.align}s"
                if getattr(self.voxels[voxel], poses) < 2:
                    raise ValueError(
                        f"methods.{name}.align: {method.align} needs a feature whose voxels have"
                        f" `{poses}` > 1; {method.feature!r} rests on voxels {voxel!r} with 1"
                    )
        return self

    @model_validator(mode="after")
    def _grids_have_the_levels(self):
        # how much coarser than the voxels a grid is, only the weights tell: checked again at work
        for name, method in self.methods.items():
            if method.matcher == "hierarchical":
                voxel = self.voxel_behind(method.feature)
                side = self.voxels[voxel].resolution
                if side % (1 << (method.levels - 1)):
                    raise ValueError(
                        f"methods.{name}.levels: {method.levels} halve the grid"
                        f" {method.levels - 1} times, but {method.feature!r} rests on voxels"
                        f" {voxel!r} with resolution {side}: set fewer levels"
                    )
        return self


def _section(entry) -> tuple:
    return dict[Name, entry], Field(default_factory=dict)


Config = create_model(
    "Config",
    __base__=_Base,
    __doc__="The validated configuration; every variant is a named entry of its section.",
    renders=_section(Render),
    voxels=_section(Voxel),
    coseg=_section(Cosegmentation),
    keypoints=_section(Experiment),
    texture=_section(Experiment),
    dense=_section(Dense),
    exports=(Exports, Field(Exports(), description="coloured meshes on request")),
    sweeps=_section(Sweep),
    decodings=_section(Decoding),
    samplings=_section(Sampling),
    **{section: _section(entry_type(section)) for section in KIND_SECTIONS},
)


def check_weights(config: Config, asset_keys: Iterable[str]) -> None:
    """Raise ValueError when a `weights` reference is neither an asset key nor an entry of `models`."""
    known = set(asset_keys)
    clash = known & set(config.models)
    if clash:
        raise ValueError(f"models: {sorted(clash)} are names of assets; choose other names")
    for section in (*VARIANT_SECTIONS, *LOOK_SECTIONS):
        for name, entry in getattr(config, section).items():
            for field, target, value in entry.references():
                if target == "weights" and value not in known and value not in config.models:
                    raise ValueError(
                        f"{section}.{name}.{field}: {value!r} is neither a key of config/assets.csv"
                        " nor an entry of `models`"
                    )
