# Targets without results of their own: what is there and missing, failed rows once more.


rule check:
    localrule: True
    params:
        options=asking(lambda w: PLAN.check_options()),
    shell:
        "{sys.executable} -m semcorr.stages.check --output results/check.json {params.options}"


rule retry_failed:
    localrule: True
    shell:
        "{sys.executable} -m semcorr.stages.retry_failed"
