# Training of networks by our own rules; resumable: blocks and checkpoint lie beside the outputs.

# An autoencoder leaves two networks, everything else one
AUTOENCODERS = [name for name, entry in CONFIG.models.items() if entry.kind == "ss_vae"]
OTHER_MODELS = [name for name in CONFIG.models if name not in AUTOENCODERS]


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
    wildcard_constraints:
        model="|".join(OTHER_MODELS) or "(?!)",
    conda:
        NETWORKS
    # One: the order in which threads add numbers would show in the weights
    threads: 1
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


use rule train as train_autoencoder with:
    output:
        manifest="results/models/{model}/model.json",
        weights="results/models/{model}/weights.safetensors",
        decoder="results/models/{model}/decoder.safetensors",
        history="results/models/{model}/history.csv",
    wildcard_constraints:
        model="|".join(AUTOENCODERS) or "(?!)",


rule training_chart:
    input:
        history="results/models/{model}/history.csv",
    output:
        picture=report(
            "results/figures/models/{model}.png",
            caption="../report/training.rst",
            category="Training",
            labels={"model": "{model}", "what": "curves"},
        ),
    log:
        "results/logs/figures/models/{model}.log",
    benchmark:
        "results/costs/figures/models/{model}.tsv"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        code=code("training_chart"),
    message:
        "training curves of {wildcards.model}"
    script:
        "../scripts/training_chart.py"


rule models:
    input:
        [f"results/models/{name}/model.json" for name in CONFIG.models],
        [f"results/figures/models/{name}.png" for name in CONFIG.models],
    localrule: True
