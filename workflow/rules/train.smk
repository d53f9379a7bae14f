# Training of networks by our own rules; resumable, with checkpoints beside the weights.


@asking
def train_inputs(wildcards):
    return edge(PLAN.train_inputs(wildcards.model))


rule train:
    input:
        unpack(train_inputs),
    output:
        manifest="results/models/{model}/model.json",
        weights="results/models/{model}/weights.safetensors",
        history="results/models/{model}/history.csv",
    log:
        "results/logs/models/{model}.log",
    benchmark:
        "results/costs/models/{model}.tsv"
    threads: 2
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
        gpu=network_gpus,
    params:
        cfg=cfg("models", "model"),
        code=code("train", "models", "model"),
    message:
        "training {wildcards.model}"
    script:
        "../scripts/train.py"


rule models:
    input:
        [f"results/models/{name}/model.json" for name in CONFIG.models],
    localrule: True
