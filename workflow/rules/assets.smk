# Weights and downloaded files by key: one fetch rule over config/assets.csv.


rule fetch_asset:
    output:
        manifest="results/assets/{key}.json",
        files=directory("results/assets/{key}"),
    log:
        "results/logs/assets/{key}.log",
    benchmark:
        "results/costs/assets/{key}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(240),
    params:
        cfg=asset_cfg,
        code=code("fetch_asset"),
    message:
        "asset {wildcards.key}"
    script:
        "../scripts/fetch_asset.py"
