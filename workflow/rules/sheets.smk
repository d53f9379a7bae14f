# Contact sheets of one pose of an experiment, by task what there is to see.


@asking
def sheet_inputs(wildcards):
    return edge(PLAN.sheet_inputs(wildcards.task, wildcards.experiment, wildcards.pose))


def sheet(kind):
    """One contact sheet of a pose, as an entry of the report."""
    return report(
        f"results/figures/{{task}}/{{experiment}}/{{pose}}_{kind}.png",
        caption=f"../report/{kind}.rst",
        category="Pictures",
        labels={"experiment": "{experiment}", "pose": "{pose}", "what": kind},
    )


rule part_sheets:
    input:
        unpack(sheet_inputs),
    output:
        parts=sheet("parts"),
        maps=sheet("maps"),
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


use rule part_sheets as vote_sheets with:
    output:
        votes=sheet("votes"),
    log:
        "results/logs/figures/{task}/{experiment}/{pose}/votes.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/{pose}/votes.tsv"
    message:
        "contact sheet of votes in {wildcards.experiment}, {wildcards.pose}"


use rule part_sheets as map_sheets with:
    output:
        maps=sheet("maps"),
    wildcard_constraints:
        task="keypoints",


use rule part_sheets as texture_sheets with:
    output:
        maps=sheet("maps"),
        textures=sheet("textures"),
    wildcard_constraints:
        task="texture",


use rule part_sheets as dense_sheets with:
    output:
        maps=sheet("maps"),
        errors=sheet("errors"),
    wildcard_constraints:
        task="dense",
