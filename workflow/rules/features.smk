# Descriptors of points and cells; one module per kind in src/semcorr/features/.


rule feature:
    input:
        unpack(upstream("features", "feature")),
    output:
        manifest="results/features/{feature}/{dataset}/{chunk}.json",
        store=directory("results/features/{feature}/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/features/{feature}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/features/{feature}/{dataset}/{chunk}.tsv"
    conda:
        NETWORKS
    # One: the order in which threads add numbers would show in the results
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
        gpu=network_gpus,
    params:
        cfg=cfg("features", "feature"),
        code=code("features", "features", "feature"),
        members=members("other"),
    message:
        "features {wildcards.feature} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/features.py"


rule features:
    input:
        manifests=asking(lambda w: PLAN.needed("features")),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all features"
    script:
        "../scripts/coverage.py"
