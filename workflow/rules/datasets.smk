# Index of a data set: a merge that reports read; no chunk rule depends on it.


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
