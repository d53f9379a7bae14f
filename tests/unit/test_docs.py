"""The documentation is true of the code: links, names, tables, recipes that run, examples that validate."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from semcorr.assets.table import COLUMNS, asset_keys
from semcorr.config.load import TARGET_KEYS, validate
from semcorr.config.renders import Render
from semcorr.config.sections import kinds_by_section
from semcorr.errors import PERMANENT_STATUSES
from semcorr.evaluation import keypoints, segmentation, texture
from semcorr.stages.one_pair.method import AUTO_ORDER

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "LICENSES/README.md", *ROOT.glob("docs/**/*.md")])
WRITTEN = [page for page in PAGES if page.name != "config.md"]
RULES = [ROOT / "Snakefile", *sorted(ROOT.glob("workflow/rules/*.smk"))]
# Paths and words that mean something on one machine only
FOREIGN = r"/wo[r]k/|\.\./sha[r]ed|\bses[s]ions?\b|\bhelpe[r]s?\b|\bagen[t]s?\b"
SWALLOWING = ("--config", "--configfile", "-q", "--quiet")


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def page_id(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def merged(base, over):
    """Merge as Snakemake merges configuration files: mappings deeply, everything else replaced."""
    found = dict(base)
    for key, value in over.items():
        deep = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if deep else value
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    content = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
        for line in content.splitlines()
        if line.startswith("#")
    }
    for link in re.findall(r"\]\(([^)\s]+)\)", content):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        assert not path or (page.parent / path).exists(), f"{page.name}: {link}"
        assert path or anchor in headings, f"{page.name}: no heading for {link}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_word_of_the_place_where_it_was_made(page):
    found = re.findall(FOREIGN, page.read_text(encoding="utf-8"), re.I)
    assert not found, f"{page.name}: {found}"


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=page_id)
def test_every_page_is_linked(page):
    linked = "".join(other.read_text(encoding="utf-8") for other in PAGES if other != page)
    assert f"{page.name})" in linked


@pytest.mark.parametrize(
    ("page", "section"),
    [
        ("datasets", "datasets"),
        ("architecture", "datasets"),
        ("architecture", "masks"),
        ("architecture", "depth"),
        ("architecture", "latents"),
        ("architecture", "features"),
        ("architecture", "models"),
        ("architecture", "methods"),
        ("matching", "methods"),
    ],
)
def test_every_kind_is_named(page, section):
    content = text(f"docs/{page}.md")
    assert [k for k in kinds_by_section()[section] if f"`{k}`" not in content] == []


@pytest.mark.parametrize("field", ["rig", "backend"])
def test_every_rig_and_backend_is_named(field):
    content = text("docs/rendering.md")
    names = Render.model_fields[field].annotation.__args__
    assert [name for name in names if f"`{name}`" not in content] == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("pair", TARGET_KEYS),
        ("assets", COLUMNS),
        ("datasets", PERMANENT_STATUSES),
        ("matching", tuple(segmentation.summarise([], [], 0))),
        ("matching", tuple(keypoints.summarise([], [], 0))),
        ("matching", tuple(texture.summarise([], 0, 0))),
    ],
)
def test_every_key_is_named(page, names):
    content = text(f"docs/{page}.md")
    assert [name for name in names if f"`{name}`" not in content] == []


def test_the_order_of_automatic_methods_is_told():
    table = re.findall(r"^\| (\d) \| `(\w+)` \|", text("docs/pair.md"), re.M)
    assert table == [(str(n), name) for n, name in enumerate(AUTO_ORDER, 1)]


def rules():
    """Return {rule: its text}; a rule that uses another has that one's text too."""
    found = {}
    for path in RULES:
        parts = re.split(r"^(?=(?:use )?rule )", path.read_text(encoding="utf-8"), flags=re.M)
        for part in parts[1:]:
            other = re.match(r"use rule (\w+) as (\w+)", part)
            name = other[2] if other else re.match(r"rule (\w+)", part)[1]
            found[name] = found[other[1]] + part if other else part
    return found


def test_every_rule_is_named():
    content = text("docs/architecture.md")
    assert [name for name in rules() if f"`{name}`" not in content] == []


def test_the_resources_of_rules_are_as_told():
    table = {}
    for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|(.*)\|$", text("docs/cluster.md"), re.M):
        cells = [cell.strip() for cell in row[1].split("|")]
        if len(cells) == 4:
            table |= {name: cells for name in re.findall(r"\w+", row[0])}
    for name, body in rules().items():
        memory, minutes = (re.search(rf"={f}\((\d+)\)", body) for f in ("memory", "minutes"))
        local = "localrule: True" in body or re.search(rf"^    {name},$", text("Snakefile"), re.M)
        if local:
            assert name not in table and f"`{name}`" in text("docs/cluster.md")
            continue
        threads = re.search(r"threads: (\d+)", body)
        # without them a second attempt would get no more than the first
        assert memory and minutes, name
        assert table[name][:3] == [threads[1] if threads else "1", memory[1], minutes[1]], name
        assert table[name][3].startswith("gpu") == ("gpu=" in body), name


def test_pinned_modules_are_told():
    told = set(
        re.findall(
            r"`((?:stages|training|features|imaging|rendering|networks)\.[\w.]+)`",
            text("docs/reruns.md"),
        )
    )
    package = ROOT / "src/semcorr"
    pinned = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        if re.search(r"^VERSION = ", path.read_text(encoding="utf-8"), re.M)
    }
    assert told == pinned


def test_every_direct_dependency_has_its_reason():
    content = text("docs/dependencies.md")
    named = [line.split("#")[0].strip() for line in text("requirements.in").splitlines()]
    assert [name for name in named if name and f"`{name}`" not in content] == []


@pytest.mark.parametrize("page", WRITTEN, ids=page_id)
def test_bash_blocks_are_snakemake_commands_that_swallow_no_target(page):
    for line in "".join(blocks(page, "bash")).splitlines():
        words = line.split()
        assert words[0] == "snakemake", f"{page.name}: {line}: mark it as console or text"
        first = min((words.index(w) for w in SWALLOWING if w in words), default=len(words))
        for word in words[first + 1 :]:
            assert not word.startswith("results/"), f"{page.name}: {line}"


def examples():
    return [
        pytest.param(block, id=f"{page_id(page)}-{number}")
        for page in WRITTEN
        if page.name != "recipes.md"
        for number, block in enumerate(blocks(page, "yaml"))
    ]


@pytest.mark.parametrize("block", examples())
def test_examples_of_configuration_validate(block):
    base, example = yaml.safe_load(text("config/config.yaml")), yaml.safe_load(block)
    config = validate(merged(base, example), asset_keys(ROOT / "config/assets.csv"))
    assert example.keys() <= config.model_fields_set


def test_the_published_setting_adds_a_method_and_leaves_the_others():
    base = yaml.safe_load(text("config/config.yaml"))
    preset = yaml.safe_load(text("config/presets/hnsr.yaml"))
    validate(merged(base, preset), asset_keys(ROOT / "config/assets.csv"))
    assert preset["coseg"]["chair"]["methods"] == [*base["coseg"]["chair"]["methods"], "hnsr"]
    for section in ("renders", "voxels", "latents", "features", "methods"):
        assert not set(preset[section]) & set(base[section]), section


def test_the_preset_of_shapenet_rests_on_the_published_setting():
    config = yaml.safe_load(text("config/config.yaml"))
    for name in ("hnsr", "shapenet"):
        config = merged(config, yaml.safe_load(text(f"config/presets/{name}.yaml")))
    found = validate(config, asset_keys(ROOT / "config/assets.csv"))
    assert "hnsr" in found.coseg["airplane"].methods
    sets = [found.datasets[f"shapenet_airplanes{end}"] for end in ("", "_legacy")]
    assert [s.legacy_alignment for s in sets] == [False, True]
    assert {s.synset for s in sets} == {"02691156"}


VALIDATE = """
import sys, yaml
from semcorr.assets.table import asset_keys
from semcorr.config.load import validate
validate(yaml.safe_load(sys.stdin), asset_keys())
"""


def test_recipes_run_as_they_are_printed(tmp_path):
    """Write every module of the recipes into a copy of the package, run their tests, validate."""
    for folder in ("src", "config"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    page = ROOT / "docs/recipes.md"
    tests = [
        name for name in map(lambda b: write_recipe(tmp_path, b), blocks(page, "python")) if name
    ]
    with open(tmp_path / "config/assets.csv", "a", encoding="utf-8") as table:
        table.writelines(blocks(page, "csv"))
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"}

    def run(*arguments, **options):
        command = [sys.executable, *arguments]
        settings = {"cwd": tmp_path, "env": environment, "text": True, "capture_output": True}
        finished = subprocess.run(command, **settings, **options)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    assert len(tests) == 6
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    config = yaml.safe_load(text("config/config.yaml"))
    for block in blocks(page, "yaml"):
        config = merged(config, yaml.safe_load(block))
    run("-c", VALIDATE, input=yaml.safe_dump(config))


def write_recipe(root, block):
    """Write a block to the file that its first line names; return it if it is a test."""
    head, body = block.split("\n", 1)
    (name,) = re.fullmatch(r"# (\S+\.py)", head).groups()
    path = root / name
    assert not path.exists(), f"{name}: a recipe must not replace a module"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)
    return name if name.startswith("tests/") else None
