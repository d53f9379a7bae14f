# Maps target -> source of all pairs of an experiment; the chunk is the target's.


@asking
def match_inputs(wildcards):
    return edge(
        PLAN.match_inputs(
            wildcards.method, wildcards.experiment, wildcards.pose, wildcards.chunk
        )
    )


rule match:
    input:
        unpack(match_inputs),
    output:
        manifest="results/matches/{method}/{experiment}/{pose}/{chunk}.json",
        store=directory("results/matches/{method}/{experiment}/{pose}/{chunk}.zarr"),
    log:
        "results/logs/matches/{method}/{experiment}/{pose}/{chunk}.log",
    benchmark:
        "results/costs/matches/{method}/{experiment}/{pose}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        cfg=asking(lambda w: PLAN.match_cfg(w.method, w.experiment, w.pose, w.chunk)),
        code=code("match", "methods", "method"),
        members=asking(lambda w: PLAN.match_members(w.experiment, w.pose, w.chunk)),
    message:
        "{wildcards.method} on {wildcards.experiment}, {wildcards.pose}, chunk {wildcards.chunk}"
    script:
        "../scripts/match.py"


rule matches:
    input:
        manifests=asking(lambda w: PLAN.matches()),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all maps"
    script:
        "../scripts/coverage.py"
