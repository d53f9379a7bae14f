"""Who made what is exported, and what a licence forbids to export."""

import csv
import json
from pathlib import Path

import pytest
from test_texture_stages import TexturedChain

from semcorr.datasets import members as item_lists
from semcorr.datasets.attribution import Credit, credit_of, credits_csv
from semcorr.datasets.members import Member


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("by", True),
        ("by-sa", True),
        ("by-nc", True),
        ("cc0", True),
        ("CC0-1.0", True),
        ("", True),
        ("Standard licence", True),  # the letters alone forbid nothing
        ("GNU GPL, and others", True),
        ("by-nd", False),
        ("by-nc-nd", False),
        ("CC BY-ND 4.0", False),
        ("CC-BY-NC-ND-4.0", False),
        ("https://creativecommons.org/licenses/by-nd/4.0/", False),
        ("Attribution-NoDerivs", False),
        ("Attribution-NonCommercial-NoDerivatives 4.0 International", False),
        ("no derivatives", False),
    ],
)
def test_licences_that_forbid_derivatives(licence, allowed):
    assert Credit("a", "set", licence=licence).allows_derivatives is allowed


def test_what_is_known_of_items_of_every_kind():
    datasets = {
        "mine": {"kind": "folder"},
        "mine_yaw": {"kind": "turned", "from": "mine"},
        "net": {"kind": "objaverse"},
        "made": {"kind": "procedural"},
        "planes": {"kind": "shapenet"},
    }
    columns = {"licence": " by ", "author": "Ada", "title": "Stool", "page": "https://x/1"}
    for name in ("mine", "mine_yaw", "net"):
        credit = credit_of(datasets, name, Member("a", "chair", columns=columns))
        assert credit == Credit("a", name, "Stool", "Ada", "by", "https://x/1")
    assert credit_of(datasets, "mine", Member("a", "chair")) == Credit("a", "mine")
    assert credit_of(datasets, "made", Member("a", "chair")).licence == "CC0-1.0"
    assert "not to be shared" in credit_of(datasets, "planes", Member("a", "chair")).licence


def test_any_title_comes_back_from_the_list():
    hostile = 'a, "b"\nc | d\r;=1+1 \N{SNOWMAN}'
    credits = [Credit("b", "set", title=hostile, author="'"), Credit("a", "set")]
    text = credits_csv(credits, {"b"})
    assert text == credits_csv(credits[::-1], {"b"})
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["item"] for row in rows] == ["a", "b"]
    assert rows[1]["title"] == hostile and rows[1]["author"] == "'"
    assert [row["exported"] for row in rows] == ["yes", "no: the licence forbids derivatives"]


# --- through the stage ---------------------------------------------------------------------------

LIST = """id,file,category,licence,author,title,page
a,a.obj,block,{},Ada,"Red, block",https://example.org/a
b,b.obj,block,{},Bo,,
c,c.obj,block,,,,
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def licensed(work, of_a, of_b):
    """Return a chain of textured blocks a (the source), b and c with these licences."""
    chain = TexturedChain(work, ids=("a", "b", "c"))
    (chain.root / "items.csv").write_text(LIST.format(of_a, of_b))
    item_lists._folder.cache_clear()
    return chain.maps()


def shown(manifest):
    """Return {item: colourings} of what was written."""
    found = {}
    for row in manifest["files"]:
        found.setdefault(row["item"], set()).add(row["what"])
    return found


def credits_in(folder):
    with open(folder / "CREDITS.csv", newline="") as file:
        return {row["item"]: row for row in csv.DictReader(file)}


WHAT = ["rainbow", "confidence", "texture"]


def test_exports_name_every_maker(work):
    folder, manifest = licensed(work, "by", "by-sa").exported(colourings=WHAT, texture_size=32)
    assert shown(manifest) == {
        "a": {"rainbow", "texture"},
        "b": {"rainbow", "confidence", "texture"},
        "c": {"rainbow", "confidence", "texture"},
    }
    assert manifest["left_out"] == []
    rows = credits_in(folder)
    assert rows["a"] == {
        "item": "a",
        "data_set": "blocks",
        "title": "Red, block",
        "author": "Ada",
        "licence": "by",
        "page": "https://example.org/a",
        "exported": "yes",
    }
    assert (rows["b"]["author"], rows["b"]["licence"]) == ("Bo", "by-sa")
    assert (rows["c"]["author"], rows["c"]["licence"]) == ("", "")


def test_a_target_whose_licence_forbids_derivatives_is_left_out(work):
    folder, manifest = licensed(work, "by", "by-nd").exported(colourings=WHAT, texture_size=32)
    assert set(shown(manifest)) == {"a", "c"}
    assert not any("b." in path.name for path in folder.rglob("*"))
    reason = "the licence forbids derivatives"
    assert manifest["left_out"] == [{"item": "b", "licence": "by-nd", "reason": reason}]
    assert credits_in(folder)["b"]["exported"] == f"no: {reason}"


def test_neither_such_a_source_nor_its_texture_is_exported(work):
    _, manifest = licensed(work, "by-nc-nd", "by").exported(colourings=WHAT, texture_size=32)
    assert shown(manifest) == {"b": {"rainbow", "confidence"}, "c": {"rainbow", "confidence"}}
    assert [row["item"] for row in manifest["left_out"]] == ["a"]


def test_who_asks_for_them_gets_them(work):
    chain = licensed(work, "by-nd", "by-nd")
    folder, manifest = chain.exported(colourings=WHAT, texture_size=32, no_derivatives=True)
    assert set(shown(manifest)) == {"a", "b", "c"} and manifest["left_out"] == []
    rows = credits_in(folder)
    assert (rows["a"]["licence"], rows["a"]["exported"]) == ("by-nd", "yes")


def test_another_licence_plans_the_exports_and_nothing_else(work):
    before = licensed(work, "by", "by").plan
    wanted = [before.export_members("blocks", "aligned"), before.members("meshes", "blocks", "0")]
    after = licensed(Path(work / "again"), "by", "by-nd")
    (work / "set/items.csv").write_text((after.root / "items.csv").read_text())
    item_lists._folder.cache_clear()
    found = [after.plan.export_members("blocks", "aligned")]
    found.append(after.plan.members("meshes", "blocks", "0"))
    assert found[1] == wanted[1]
    changed = [old[0] for old, new in zip(wanted[0], found[0], strict=True) if old != new]
    assert changed == ["b"]


def test_the_list_is_part_of_the_manifest(work):
    folder, manifest = licensed(work, "by", "by").exported(colourings=["confidence"])
    from semcorr.store.files import sha256_file

    assert manifest["credits"] == {
        "file": "CREDITS.csv",
        "sha256": sha256_file(folder / "CREDITS.csv"),
    }
    assert json.loads(Path(f"{folder}.json").read_text())["schema"] == 3
