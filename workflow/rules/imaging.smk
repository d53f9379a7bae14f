# Pictures turned into pictures; one module per kind of mask or depth in src/semcorr/imaging/.


def imaging_gpus(section, wildcard):
    """Resource `gpu` of masks and depth: only kinds that run a network have a use for one."""

    def gpus(wildcards):
        needs_one = PLAN.entry(section, wildcards[wildcard]).NETWORK
        return network_gpus(wildcards) if needs_one else 0

    return gpus


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
    conda:
        NETWORKS
    threads: 1
    resources:
        mem_mb=memory(6000),
        runtime=minutes(60),
        gpu=imaging_gpus("masks", "mask"),
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
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all masks"
    script:
        "../scripts/coverage.py"


rule depth:
    input:
        unpack(upstream("depth", "depth")),
    output:
        manifest="results/depth/{depth}/{dataset}/{chunk}.json",
        store=directory("results/depth/{depth}/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/depth/{depth}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/depth/{depth}/{dataset}/{chunk}.tsv"
    conda:
        NETWORKS
    threads: 1
    resources:
        mem_mb=memory(6000),
        runtime=minutes(60),
        gpu=imaging_gpus("depth", "depth"),
    params:
        cfg=cfg("depth", "depth"),
        code=code("depth", "depth", "depth"),
        members=members("other"),
    message:
        "depth {wildcards.depth} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/depth.py"


rule depths:
    input:
        manifests=asking(lambda w: PLAN.needed("depth")),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all depth"
    script:
        "../scripts/coverage.py"
