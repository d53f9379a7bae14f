# Downloads of large sets, and the index of a data set: a merge that reports read and no chunk rule needs.


rule raw:
    output:
        manifest="results/raw/{dataset}/{chunk}.json",
        store=directory("results/raw/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/raw/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/raw/{dataset}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        cfg=asking(lambda w: PLAN.raw_cfg(w.dataset)),
        code=code("raw"),
        members=members("raw"),
    message:
        "objects of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/raw.py"


rule downloads:
    input:
        asking(lambda w: PLAN.downloads()),
    localrule: True


rule index:
    input:
        unpack(asking(lambda w: PLAN.index_inputs(w.dataset))),
    output:
        index="results/datasets/{dataset}/index.parquet",
    log:
        "results/logs/datasets/{dataset}.log",
    benchmark:
        "results/costs/datasets/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        cfg=cfg("datasets", "dataset"),
        code=code("index"),
        members=asking(lambda w: PLAN.index_members(w.dataset)),
    message:
        "index of {wildcards.dataset}"
    script:
        "../scripts/index.py"


rule datasets:
    input:
        asking(lambda w: PLAN.indices()),
    localrule: True
