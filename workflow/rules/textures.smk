# Pictures of texture transfer, in the manner of the other tasks (report.smk).


use rule part_sheets as texture_sheets with:
    output:
        maps=report(
            "results/figures/{task}/{experiment}/{pose}_maps.png",
            caption="../report/maps.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "maps"},
        ),
        textures=report(
            "results/figures/{task}/{experiment}/{pose}_textures.png",
            caption="../report/textures.rst",
            category="Pictures",
            labels={
                "experiment": "{experiment}",
                "pose": "{pose}",
                "what": "textures",
            },
        ),
    wildcard_constraints:
        task="texture",


use rule score_chart as texture_chart with:
    input:
        table="results/texture/{experiment}.json",
    wildcard_constraints:
        task="texture",
