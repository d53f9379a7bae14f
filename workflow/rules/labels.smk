# Part labels carried from the sources to every target, on request: `snakemake -c all labels`.


@asking
def label_inputs(wildcards):
    return edge(
        PLAN.label_inputs(
            wildcards.method, wildcards.experiment, wildcards.pose, wildcards.chunk
        )
    )


rule carry_labels:
    input:
        unpack(label_inputs),
    output:
        manifest="results/labels/{method}/{experiment}/{pose}/{chunk}.json",
        store=directory("results/labels/{method}/{experiment}/{pose}/{chunk}.zarr"),
    log:
        "results/logs/labels/{method}/{experiment}/{pose}/{chunk}.log",
    benchmark:
        "results/costs/labels/{method}/{experiment}/{pose}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        cfg=asking(lambda w: PLAN.label_cfg(w.experiment)),
        code=code("labels"),
        members=asking(lambda w: PLAN.match_members(w.experiment, w.pose, w.chunk)),
    message:
        "labels by {wildcards.method} in {wildcards.experiment}, {wildcards.pose}, chunk {wildcards.chunk}"
    script:
        "../scripts/labels.py"


rule labels:
    input:
        manifests=asking(lambda w: PLAN.labels()),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all carried labels"
    script:
        "../scripts/coverage.py"
