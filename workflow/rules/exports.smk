# Coloured meshes of experiments, on request: `snakemake -c all exports`, or one folder's manifest.


@asking
def export_inputs(wildcards):
    return edge(
        PLAN.pose_inputs(wildcards.method, wildcards.experiment, wildcards.pose)
    )


rule export:
    input:
        unpack(export_inputs),
    output:
        manifest="results/exports/{task}/{experiment}/{method}/{pose}.json",
        meshes=directory("results/exports/{task}/{experiment}/{method}/{pose}"),
    log:
        "results/logs/exports/{task}/{experiment}/{method}/{pose}.log",
    benchmark:
        "results/costs/exports/{task}/{experiment}/{method}/{pose}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        cfg=asking(lambda w: PLAN.exports_cfg(w.experiment)),
        code=code("export"),
        members=asking(lambda w: PLAN.export_members(w.experiment, w.pose)),
    message:
        "coloured meshes of {wildcards.method} in {wildcards.experiment}, {wildcards.pose}"
    script:
        "../scripts/export.py"


rule exports:
    input:
        asking(lambda w: PLAN.exports()),
    localrule: True
