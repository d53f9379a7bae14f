# Voxels to look at: what latents hold, and what a flow network makes.


rule decode:
    input:
        unpack(asking(lambda w: edge(PLAN.look_inputs("decodings", w.decoding)))),
    output:
        manifest="results/decodings/{decoding}.json",
        picture=report(
            "results/figures/decodings/{decoding}.png",
            caption="../report/decoding.rst",
            category="Latents",
            labels={"entry": "{decoding}", "what": "decoded"},
        ),
    log:
        "results/logs/decodings/{decoding}.log",
    benchmark:
        "results/costs/decodings/{decoding}.tsv"
    conda:
        NETWORKS
    # One: the order in which threads add numbers would show in the results
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
        gpu=network_gpus,
    params:
        cfg=asking(lambda w: PLAN.look_cfg("decodings", w.decoding)),
        code=code("decode"),
    message:
        "decoded latents of {wildcards.decoding}"
    script:
        "../scripts/decode.py"


rule sample:
    input:
        unpack(asking(lambda w: edge(PLAN.look_inputs("samplings", w.sampling)))),
    output:
        manifest="results/samplings/{sampling}.json",
        picture=report(
            "results/figures/samplings/{sampling}.png",
            caption="../report/sampling.rst",
            category="Latents",
            labels={"entry": "{sampling}", "what": "samples"},
        ),
    log:
        "results/logs/samplings/{sampling}.log",
    benchmark:
        "results/costs/samplings/{sampling}.tsv"
    conda:
        NETWORKS
    # One: the order in which threads add numbers would show in the results
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
        gpu=network_gpus,
    params:
        cfg=asking(lambda w: PLAN.look_cfg("samplings", w.sampling)),
        code=code("sample"),
    message:
        "samples of {wildcards.sampling}"
    script:
        "../scripts/sample.py"


rule looks:
    input:
        PLAN.looks(),
    localrule: True
    message:
        "pictures of latents and samples"
