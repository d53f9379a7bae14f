"""The target `check` asks for what the configuration in use needs, whatever files it came from."""

import json
import shlex

import harness
import small

WEIGHTS = (
    *(small.VAE, small.FLOW, small.ENCODER, small.SLAT_VAE, small.SLAT_FLOW),
    *(small.SEGMENTER, small.DEPTH_GUESSER),
)


def options(work, *arguments):
    """Return the options of the command that `check` would run."""
    plan = work.plan("check", "--printshellcmds", *arguments)
    assert plan.code == 0, plan.text
    (line,) = [x for x in plan.text.splitlines() if "-m semcorr.stages.check" in x]
    words = shlex.split(line.split("semcorr.stages.check ", 1)[1])
    return dict(zip([w.lstrip("-") for w in words[::2]], words[1::2], strict=True))


def test_check_is_given_blender_and_the_experiments(tmp_path, repository, environment, server):
    work = harness.Work(tmp_path / "work", repository, environment, server)
    work.write_config(small.CONFIG)
    found = options(work)
    assert found.keys() == {"output", "experiments"}
    assert json.loads(found["experiments"]) == {
        "weights": sorted(WEIGHTS),
        "backends": ["raycast"],
        "offline": True,
    }
    more = {
        "blender": "/opt/my blender/blender",
        "offline": False,
        "renders": {"views": {"backend": "blender"}},
        "features": {"lifted": {"weights": "mobilenetv2_imagenet"}},
    }
    (tmp_path / "more.json").write_text(json.dumps(more))
    found = options(work, "--configfile", str(tmp_path / "more.json"))
    assert found["blender"] == "/opt/my blender/blender"
    wanted = json.loads(found["experiments"])
    assert "mobilenetv2_imagenet" in wanted["weights"]
    assert (wanted["backends"], wanted["offline"]) == (["blender"], False)
