# The user's own two meshes: one job, one process, nothing else planned.
# snakemake -c all pair --config source=a.glb target=b.ply


rule pair:
    log:
        "results/logs/pair.log",
    conda:
        NETWORKS
    threads: 8
    resources:
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        cfg=TARGET_KEYS,
    message:
        "matching {params.cfg}"
    script:
        "../scripts/pair.py"


onsuccess:
    show_pages_last()
