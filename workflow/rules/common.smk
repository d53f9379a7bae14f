"""Functions of the workflow: thin, over semcorr.planning; only what must know Snakemake is here."""

import atexit
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from semcorr.assets.table import asset_keys, read_table, rows_of
from semcorr.config.load import dump, split_target_keys, validate
from semcorr.config.root import EXPERIMENT_SECTIONS
from semcorr.errors import UserError
from semcorr.planning import Plan, manifest

try:
    _, TARGET_KEYS = split_target_keys(config)
    CONFIG = validate(config, asset_keys(Path(workflow.basedir) / "config/assets.csv"))
    config.update(dump(CONFIG))
    PLAN = Plan(CONFIG)
except UserError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    **{
        name: r"[a-z0-9_]+"
        for name in "dataset render mask depth voxel latent feature method model experiment pose key decoding sampling".split()
    },
    chunk=r"\d+",
    task="|".join(EXPERIMENT_SECTIONS),


def asking(function):
    """Make a wrong request stop with one line, not with a traceback."""

    def ask(*arguments):
        try:
            return function(*arguments)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return ask


def edge(manifests):
    """Input names to manifests with what they describe, whose time stamps mean nothing (ancient)."""
    found = {}
    for name, value in manifests.items():
        paths = [value] if isinstance(value, str) else list(value)
        found[name] = paths if isinstance(value, list) else value
        described = [d for d in map(described_by, paths) if d is not None]
        if described:
            found[f"{name}_store"] = ancient(described)
    return found


def described_by(path):
    """Return the store, weights file or asset folder that a small JSON stands for, None for others."""
    if path.startswith("results/models/"):
        return path.replace("model.json", "weights.safetensors")
    if path.startswith("results/assets/"):
        return path.removesuffix(".json")
    is_chunk = path.count("/") > 2
    return path.removesuffix(".json") + ".zarr" if is_chunk else None


def upstream(section, wildcard):
    """Inputs of a per-chunk rule: meshes and whatever the variant's entry refers to."""

    @asking
    def inputs(wildcards):
        entry = PLAN.entry(section, wildcards[wildcard])
        return edge(PLAN.variant_inputs(entry, wildcards.dataset, wildcards.chunk))

    return inputs


def dataset_inputs(stage):
    """Inputs of meshes or truth: local files of the chunk's items, or the chunk that is turned."""

    @asking
    def inputs(wildcards):
        files, manifests = PLAN.dataset_inputs(
            stage, wildcards.dataset, wildcards.chunk
        )
        return files | edge(manifests)

    return inputs


def cfg(section, wildcard, stage=None):
    """Parameter `cfg`: the variant's validated options (that the stage reads), plus global keys."""
    return asking(lambda wildcards: PLAN.cfg(section, wildcards[wildcard], stage))


def code(stage, section=None, wildcard=None):
    """Parameter `code`: fingerprint of the stage and of the module of the variant's kind."""
    return asking(
        lambda w: PLAN.code(stage, section, w[wildcard] if wildcard else None)
    )


def members(stage):
    """Parameter `members`: sorted [id, digest of the columns that the stage reads]."""
    return asking(lambda w: PLAN.members(stage, w.dataset, w.chunk))


def memory(mb):
    """Resource `mem_mb`, doubled at the second attempt."""
    return lambda wildcards, attempt: mb * attempt


def minutes(count):
    """Resource `runtime`, doubled at the second attempt."""
    return lambda wildcards, attempt: count * attempt


def network_gpus(wildcards):
    """Resource `gpu` of rules that run networks: none where the CPU was asked for."""
    return 0 if CONFIG.device == "cpu" else 1


def render_gpus(wildcards):
    """Resource `gpu` of rendering: the ray caster runs on the CPU."""
    backend = PLAN.entry("renders", wildcards.render).backend
    return 0 if backend == "raycast" else network_gpus(wildcards)


# Environment of rules that run networks, for `--sdm conda`; without it nothing reads these files
NETWORKS = f"../../envs/{'cpu' if CONFIG.device == 'cpu' else 'gpu'}.yaml"


@asking
def asset_cfg(wildcards):
    """Parameter `cfg` of an asset: its rows of config/assets.csv."""
    table = read_table(Path(workflow.basedir) / "config/assets.csv")
    return {"rows": [row.as_params() for row in rows_of(wildcards.key, table)]}


def show_pages_last():
    """Print the pages of `pair` at the exit, below the lines with which Snakemake closes."""
    # here, because nothing of the stages is imported while parsing
    from semcorr.stages.one_pair.request import pages_of

    if any(job.rule.name == "pair" for job in workflow.dag.jobs):
        pages = "\n".join(map(str, pages_of(TARGET_KEYS)))
        atexit.register(print, pages, flush=True)
