# Pictures turned into pictures; one module per kind of mask in src/semcorr/imaging/.


rule mask:
    input:
        unpack(upstream("masks", "mask")),
    output:
        manifest="results/masks/{mask}/{dataset}/{chunk}.json",
        store=directory("results/masks/{mask}/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/masks/{mask}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/masks/{mask}/{dataset}/{chunk}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
        gpu=mask_gpus,
    params:
        cfg=cfg("masks", "mask"),
        code=code("masks", "masks", "mask"),
        members=members("other"),
    message:
        "masks {wildcards.mask} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/masks.py"


rule masks:
    input:
        manifests=asking(lambda w: PLAN.needed("masks")),
    localrule: True
    message:
        "coverage of all masks"
    script:
        "../scripts/coverage.py"
