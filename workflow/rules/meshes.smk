# Meshes in our frame, and the ground truth that only matching and evaluation read.


rule meshes:
    input:
        unpack(dataset_inputs("meshes")),
    output:
        manifest="results/meshes/{dataset}/{chunk}.json",
        store=directory("results/meshes/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/meshes/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/meshes/{dataset}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        cfg=cfg("datasets", "dataset", "meshes"),
        code=code("meshes", "datasets", "dataset"),
        members=members("meshes"),
    message:
        "meshes of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/meshes.py"


rule truth:
    input:
        unpack(dataset_inputs("truth")),
    output:
        manifest="results/truth/{dataset}/{chunk}.json",
        store=directory("results/truth/{dataset}/{chunk}.zarr"),
    log:
        "results/logs/truth/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/truth/{dataset}/{chunk}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        cfg=cfg("datasets", "dataset"),
        code=code("truth", "datasets", "dataset"),
        members=members("truth"),
    message:
        "ground truth of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/truth.py"
