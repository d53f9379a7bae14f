# semcorr: 3D semantic correspondence from raw assets to benchmark tables.
# `snakemake -c all` makes the chair's table and its report; docs/ says the rest.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/scheduler.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/assets.smk"
include: "workflow/rules/meshes.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/render.smk"
include: "workflow/rules/imaging.smk"
include: "workflow/rules/latents.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/match.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/looks.smk"
include: "workflow/rules/sheets.smk"
include: "workflow/rules/charts.smk"
include: "workflow/rules/exports.smk"
include: "workflow/rules/pair.smk"
include: "workflow/rules/tools.smk"


rule all:
    default_target: True
    input:
        [*PLAN.tables(), *PLAN.figures()],
    localrule: True


rule evaluate:
    input:
        PLAN.tables(),
    localrule: True


rule figures:
    input:
        PLAN.figures(),
    localrule: True
