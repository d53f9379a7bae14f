# Pictures and report() entries: `snakemake --report report.zip` holds them all.


@asking
def sheet_inputs(wildcards):
    return edge(PLAN.sheet_inputs(wildcards.task, wildcards.experiment, wildcards.pose))


rule part_sheets:
    input:
        unpack(sheet_inputs),
    output:
        parts=report(
            "results/figures/{task}/{experiment}/{pose}_parts.png",
            caption="../report/parts.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "parts"},
        ),
        maps=report(
            "results/figures/{task}/{experiment}/{pose}_maps.png",
            caption="../report/maps.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "maps"},
        ),
    log:
        "results/logs/figures/{task}/{experiment}/{pose}/sheets.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/{pose}/sheets.tsv"
    wildcard_constraints:
        task="coseg",
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=memory(3000),
        runtime=minutes(20),
    params:
        cfg=asking(lambda w: PLAN.sheet_cfg(w.experiment)),
        code=code("sheets"),
    message:
        "contact sheets of {wildcards.experiment}, {wildcards.pose}"
    script:
        "../scripts/sheets.py"


use rule part_sheets as map_sheets with:
    output:
        maps=report(
            "results/figures/{task}/{experiment}/{pose}_maps.png",
            caption="../report/maps.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "maps"},
        ),
    wildcard_constraints:
        task="keypoints",


rule score_chart:
    input:
        table="results/coseg/{experiment}.json",
    output:
        scores=report(
            "results/figures/{task}/{experiment}/scores.png",
            caption="../report/scores.rst",
            category="Scores",
            labels={"experiment": "{experiment}", "what": "scores"},
        ),
    log:
        "results/logs/figures/{task}/{experiment}/scores.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/scores.tsv"
    wildcard_constraints:
        task="coseg",
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("chart"),
    message:
        "scores of {wildcards.experiment}"
    script:
        "../scripts/chart.py"


rule keypoint_chart:
    input:
        table="results/keypoints/{experiment}.json",
    output:
        scores=report(
            "results/figures/{task}/{experiment}/scores.png",
            caption="../report/scores.rst",
            category="Scores",
            labels={"experiment": "{experiment}", "what": "scores"},
        ),
        curves=report(
            "results/figures/{task}/{experiment}/curves.png",
            caption="../report/curves.rst",
            category="Scores",
            labels={"experiment": "{experiment}", "what": "curves"},
        ),
    log:
        "results/logs/figures/{task}/{experiment}/scores.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/scores.tsv"
    wildcard_constraints:
        task="keypoints",
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("chart"),
    message:
        "scores and curves of {wildcards.experiment}"
    script:
        "../scripts/chart.py"


use rule part_sheets as dense_sheets with:
    output:
        maps=report(
            "results/figures/{task}/{experiment}/{pose}_maps.png",
            caption="../report/maps.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "maps"},
        ),
        errors=report(
            "results/figures/{task}/{experiment}/{pose}_errors.png",
            caption="../report/errors.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "errors"},
        ),
    wildcard_constraints:
        task="dense",


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


rule figures:
    input:
        PLAN.figures(),
    localrule: True
