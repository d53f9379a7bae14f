# Pictures of co-segmentation by several sources that vote, in the manner of the others (report.smk).


use rule part_sheets as vote_sheets with:
    output:
        votes=report(
            "results/figures/{task}/{experiment}/{pose}_votes.png",
            caption="../report/votes.rst",
            category="Pictures",
            labels={"experiment": "{experiment}", "pose": "{pose}", "what": "votes"},
        ),
    log:
        "results/logs/figures/{task}/{experiment}/{pose}_votes.log",
    benchmark:
        "results/costs/figures/{task}/{experiment}/{pose}/votes.tsv"
    message:
        "contact sheet of votes in {wildcards.experiment}, {wildcards.pose}"
