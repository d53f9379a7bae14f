# Views of every shape: colours from the backend, geometry from the ray caster.


def render_environment(wildcards):
    """Directive `conda` of rendering: Blender brings an environment of its own."""
    backend = PLAN.entry("renders", wildcards.render).backend
    named = {"blender": "../../envs/blender.yaml", "rasterize": NETWORKS}
    return named.get(backend, "../../envs/cpu.yaml")


def kept(path):
    """Output that stays, or is removed once all that reads it is done (`keep_renders: false`)."""
    return path if CONFIG.keep_renders else temp(path)


rule render:
    input:
        unpack(upstream("renders", "render")),
    output:
        manifest=kept("results/renders/{render}/{dataset}/{chunk}.json"),
        store=kept(directory("results/renders/{render}/{dataset}/{chunk}.zarr")),
    log:
        "results/logs/renders/{render}/{dataset}/{chunk}.log",
    benchmark:
        "results/costs/renders/{render}/{dataset}/{chunk}.tsv"
    conda:
        render_environment
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
        gpu=render_gpus,
    params:
        cfg=cfg("renders", "render"),
        code=code("render", "renders", "render"),
        members=members("other"),
    message:
        "views {wildcards.render} of {wildcards.dataset}, chunk {wildcards.chunk}"
    script:
        "../scripts/render.py"


rule renders:
    input:
        manifests=asking(lambda w: PLAN.needed("renders")),
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    message:
        "coverage of all views"
    script:
        "../scripts/coverage.py"
