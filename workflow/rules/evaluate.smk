# Scores of one method, then the table of all: only what is new and the merge run.


@asking
def score_inputs(wildcards):
    return edge(PLAN.evaluate_inputs(wildcards.experiment, wildcards.method))


@asking
def table_inputs(wildcards):
    _, entry = PLAN.experiment(wildcards.experiment)
    return [
        f"results/{wildcards.task}/{wildcards.experiment}/{method}.json"
        for method in entry.methods
    ]


rule score:
    input:
        unpack(score_inputs),
    output:
        scores="results/{task}/{experiment}/{method}.json",
    log:
        "results/logs/{task}/{experiment}/{method}.log",
    benchmark:
        "results/costs/{task}/{experiment}/{method}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(30),
    params:
        cfg=asking(lambda w: PLAN.experiment_cfg(w.experiment)),
        code=code("evaluate", "tasks", "task"),
    message:
        "scores of {wildcards.method} in {wildcards.experiment}"
    script:
        "../scripts/evaluate.py"


rule table:
    input:
        scores=table_inputs,
    output:
        table=report(
            "results/{task}/{experiment}.json",
            caption="../report/table.rst",
            category="Scores",
            labels={"experiment": "{experiment}", "what": "table"},
        ),
    log:
        "results/logs/{task}/{experiment}.log",
    benchmark:
        "results/costs/{task}/{experiment}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        cfg=asking(lambda w: PLAN.experiment_cfg(w.experiment)),
        code=code("merge"),
    message:
        "table of {wildcards.experiment}"
    script:
        "../scripts/merge.py"
