# Surface voxels and the latents of generative models.


rule voxels:
    input:
        unpack(upstream("voxels", "voxel")),
    output:
        manifest="results/voxels/{voxel}/{dataset}/{chunk}.json",
        store=directory("results/voxels/{voxel}/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/voxels/{voxel}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/voxels/{voxel}/{dataset}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        cfg=cfg("voxels", "voxel"),
        code=code("voxels"),
        members=members("other"),
    message:
        "voxels {wildcards.voxel} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/voxels.py"


rule latents:
    input:
        unpack(upstream("latents", "latent")),
    output:
        manifest="results/latents/{latent}/{dataset}/{chunk}.json",
        store=directory("results/latents/{latent}/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/latents/{latent}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/latents/{latent}/{dataset}/{chunk}.tsv"
    conda:
        NETWORKS
    # One: the order in which threads add numbers would show in the results
    threads: 1
    resources:
        mem_mb=memory(6000),
        runtime=minutes(60),
        gpu=network_gpus,
    params:
        cfg=cfg("latents", "latent"),
        code=code("latents", "latents", "latent"),
        members=members("other"),
    message:
        "latents {wildcards.latent} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/latents.py"
