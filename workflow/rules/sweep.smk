# Scores over timestep, layer and noise: one table and one heat map a sweep.


rule sweep:
    input:
        scores=asking(lambda w: PLAN.sweep_inputs(w.sweep)),
    output:
        table="results/sweeps/{sweep}.parquet",
        picture=report(
            "results/figures/sweeps/{sweep}.png",
            caption="../report/sweep.rst",
            category="Sweeps",
            labels={"sweep": "{sweep}", "what": "heat map"},
        ),
    log:
        "results/logs/sweeps/{sweep}.log",
    benchmark:
        "results/costs/sweeps/{sweep}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        cfg=asking(lambda w: PLAN.sweep_cfg(w.sweep)),
        code=code("sweep"),
    message:
        "table and heat map of {wildcards.sweep}"
    script:
        "../scripts/sweep.py"


rule sweeps:
    input:
        PLAN.sweeps(),
    localrule: True
    message:
        "all sweeps"
