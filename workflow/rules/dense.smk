# Pictures of dense correspondence, in the manner of the other tasks (report.smk).


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
