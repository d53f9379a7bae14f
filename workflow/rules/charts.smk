# Scores as pictures, by task; and what all jobs cost.


def chart(kind):
    """One chart of an experiment, as an entry of the report."""
    return report(
        f"results/figures/{{task}}/{{experiment}}/{kind}.png",
        caption=f"../report/{kind}.rst",
        category="Scores",
        labels={"experiment": "{experiment}", "what": kind},
    )


rule score_chart:
    input:
        table="results/coseg/{experiment}.json",
    output:
        scores=chart("scores"),
    log:
        "results/logs/figures/{task}/{experiment}/scores.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/scores.tsv"
    wildcard_constraints:
        task="coseg",
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        code=code("chart"),
    message:
        "charts of {wildcards.experiment}"
    script:
        "../scripts/chart.py"


use rule score_chart as texture_chart with:
    input:
        table="results/texture/{experiment}.json",
    wildcard_constraints:
        task="texture",


use rule score_chart as keypoint_chart with:
    input:
        table="results/keypoints/{experiment}.json",
    output:
        scores=chart("scores"),
        curves=chart("curves"),
    wildcard_constraints:
        task="keypoints",


use rule keypoint_chart as dense_chart with:
    input:
        table="results/dense/{experiment}.json",
    wildcard_constraints:
        task="dense",


rule cost_chart:
    input:
        tables=PLAN.tables(),
    output:
        picture=report(
            "results/figures/costs.png",
            caption="../report/costs.rst",
            category="Costs",
            labels={"experiment": "all", "what": "time"},
        ),
        table=report(
            "results/figures/costs.csv",
            caption="../report/cost_table.rst",
            category="Costs",
            labels={"experiment": "all", "what": "sums"},
        ),
    log:
        "results/logs/figures/costs.log",
    benchmark:
        "results/costs/figures/costs.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("cost_chart"),
    message:
        "time and memory by stage"
    script:
        "../scripts/cost_chart.py"
