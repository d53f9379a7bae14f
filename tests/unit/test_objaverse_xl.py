"""Lists of Objaverse-XL: the command that writes them, annotation files whole and broken, the rows."""

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from objaverse_site import uid_of
from test_xl_identifiers import COMMIT, GITHUB, PACKAGE, THING

from semcorr.datasets import members as item_lists
from semcorr.datasets import objaverse_xl_items
from semcorr.datasets.objaverse_xl_source import asset_row
from semcorr.datasets.xl_identifiers import parse
from semcorr.geometry.reader import PARSERS
from semcorr.stages.objaverse_xl_list import command_line

SHA = "5e" * 32
HOSTS = {
    "github": "https://raw.githubusercontent.com/",
    "thingiverse": "https://www.thingiverse.com",
    "smithsonian": "https://3d-api.si.edu",
    "sketchfab": "https://huggingface.co/datasets/allenai/objaverse/resolve/main",
}


def annotate(tmp_path, source, rows, columns=None):
    """Write the annotation file of a source as the published ones are; return its bytes."""
    columns = columns or ("fileIdentifier", "source", "license", "fileType", "sha256", "metadata")
    table = {name: [row.get(name) for row in rows] for name in columns}
    path = tmp_path / f"{source}.parquet"
    pq.write_table(pa.table({k: pa.array(v, pa.string()) for k, v in table.items()}), path)
    return path.read_bytes()


def row(identifier, form="glb", licence="Creative Commons Zero", sha256=SHA):
    return {
        "fileIdentifier": identifier,
        "license": licence,
        "fileType": form,
        "sha256": sha256,
        "metadata": "{}",
    }


@pytest.fixture
def write(site, tmp_path, capsys):
    """Run the command over the site; return (exit code, rows or None, what was printed)."""
    model = f"https://sketchfab.com/3d-models/{uid_of(1)}"
    unknown = f"https://sketchfab.com/3d-models/{uid_of(2)}"
    site.add(1)
    site.annotate()
    blob = GITHUB.rsplit("/", 1)[0]
    tables = {
        "github": [
            row(GITHUB, "obj", "MIT License"),
            row(f"{blob}/b.fbx", "fbx"),
            row(f"{blob}/c.STL", "STL", None),
            row("https://gitlab.com/x.obj", "obj"),
        ],
        "sketchfab": [row(model), row(unknown)],
        "smithsonian": [row(PACKAGE)],
        "thingiverse": [row(THING, "stl", "Creative Commons - Attribution, changed", SHA.upper())],
    }
    prefix = "/datasets/allenai/objaverse-xl/resolve/main"
    for source, rows in tables.items():
        path = f"{prefix}/{source}/{source}.parquet"
        site.elsewhere[path] = annotate(tmp_path, source, rows)

    def run(*arguments, name="list.csv"):
        out = tmp_path / name
        code = command_line([*arguments, "--out", str(out), "--cache", str(tmp_path / "cache")])
        text = "".join(capsys.readouterr())
        if code:
            return code, None, text
        with open(out, newline="") as handle:
            return code, list(csv.DictReader(handle)), text

    return run


def test_all_sources_and_what_is_left_out(write):
    code, rows, text = write()
    assert code == 0, text
    model = f"https://sketchfab.com/3d-models/{uid_of(1)}"
    assert [r["identifier"] for r in rows] == sorted(
        [GITHUB, GITHUB.rsplit("/", 1)[0] + "/c.STL", PACKAGE, THING, model]
    )
    by_identifier = {r["identifier"]: r for r in rows}
    assert by_identifier[model]["path"] == f"glbs/000-000/{uid_of(1)}.glb"
    assert by_identifier[THING] == {
        "identifier": THING,
        "path": "",
        "category": "object",
        "licence": "Creative Commons - Attribution, changed",
        "sha256": SHA,
    }
    assert "8 asked for, 1 of other formats, 1 of unknown form, 1 not in Objaverse 1.0" in text
    assert "1 MIT License" in text
    assert "1 unknown" in text
    assert "github: 100%" in text and "| 4/4 [" in text and "row/s]" in text


def test_a_choice(write, tmp_path):
    _, rows, _ = write("--sources", "github", "--formats", "obj", "--category", "chair")
    assert [(r["identifier"], r["category"]) for r in rows] == [(GITHUB, "chair")]
    licences = "mit license; creative commons - attribution, changed"
    _, rows, text = write("--licences", licences, "--force")
    assert {r["identifier"] for r in rows} == {GITHUB, THING}
    assert "of other licences" in text
    (tmp_path / "ids.txt").write_text(f"# mine\n{PACKAGE}\n\n{THING}\n")
    _, rows, _ = write("--ids", str(tmp_path / "ids.txt"), "--force")
    assert {r["identifier"] for r in rows} == {PACKAGE, THING}
    _, rows, text = write("--sources", "github", "--limit", "1", "--force")
    assert len(rows) == 1
    assert "1 above the limit" in text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--sources", "gitlab"], "no source 'gitlab'; there are: github"),
        (["--formats", "dae"], "nothing is left to write (8 asked for"),
        (["--ids", "none.txt"], "none.txt: cannot be read"),
        (["--offline"], "is missing and offline is set"),
    ],
)
def test_wrong_requests_are_one_line(write, arguments, message):
    code, _, text = write(*arguments)
    assert code == 1
    assert message in text
    assert "Traceback" not in text


def test_a_list_is_not_replaced_unasked(write):
    assert write()[0] == 0
    code, _, text = write()
    assert code == 1
    assert "--force replaces it" in text


@pytest.mark.parametrize("broken", ["no parquet", "cut", "a column less"])
def test_broken_annotation_files_are_refused(write, site, tmp_path, broken):
    path = "/datasets/allenai/objaverse-xl/resolve/main/smithsonian/smithsonian.parquet"
    whole = site.elsewhere[path]
    site.elsewhere[path] = {
        "no parquet": b"<html>",
        "cut": whole[:-100],
        "a column less": annotate(tmp_path, "x", [row(PACKAGE)], ("fileIdentifier", "license")),
    }[broken]
    code, _, text = write("--sources", "smithsonian")
    assert code == 1
    assert "smithsonian.parquet: n" in text  # not readable, or no column
    assert "Traceback" not in text


# ------------------------------------------------------------------------------ rows of a list


def members_of(tmp_path, lines, head="identifier,path,category,sha256"):
    path = tmp_path / "xl.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    objaverse_xl_items._members.cache_clear()
    entry = {"kind": "objaverse_xl", "list": str(path), "truth": None, "chunks": 1, **HOSTS}
    return entry, item_lists.read_members({"xl": entry}, "xl")


def test_rows_and_addresses(tmp_path):
    model = f"https://sketchfab.com/3d-models/{uid_of(1)}"
    glb = f"glbs/000-001/{uid_of(1)}.glb"
    lines = [f"{GITHUB},,chair,{SHA}", f"{THING},,,", f"{PACKAGE},,,", f"{model},{glb},,"]
    entry, members = members_of(tmp_path, lines)
    assert {m.status for m in members.values()} == {"ok"}
    github = members[parse(GITHUB).id]
    assert (github.category, github.columns["page"]) == ("chair", GITHUB)
    rows = {m.columns["source"]: asset_row(m.columns, entry) for m in members.values()}
    assert rows["github"].url == (
        f"https://raw.githubusercontent.com/some-org/a.repo/{COMMIT}/meshes/big%20chair%20%231.obj"
    )
    assert rows["github"].file == "github/repos/some-org/a.repo/meshes/big chair #1.obj"
    assert rows["thingiverse"].url == "https://www.thingiverse.com/download:456"
    assert rows["smithsonian"].url == PACKAGE
    assert (rows["sketchfab"].repo, rows["sketchfab"].file) == ("datasets/allenai/objaverse", glb)


def test_rows_that_cannot_be_used_are_members_with_a_status(tmp_path):
    blob = f"https://github.com/o/r/blob/{COMMIT}"
    model = f"https://sketchfab.com/3d-models/{uid_of(1)}"
    lines = {
        f"{blob}/../../../etc/passwd,,,": "bad_name",
        "/etc/passwd,,,": "bad_name",
        ",,,": "bad_name",
        f"{blob}/a.fbx,,,": "failed",
        f"{blob}/a,,,": "failed",
        f"{blob}/a.obj,,,123": "bad_name",
        f"{model},../../x.glb,,": "bad_name",
        f"{blob}/b.obj,,,": "duplicate",
    }
    twice = f"{blob}/b.obj,,,"
    _, members = members_of(tmp_path, [*lines, twice])
    found = {(m.columns["identifier"], m.status) for m in members.values()}
    assert found == {(line.split(",")[0], status) for line, status in lines.items()}
    reasons = " ".join(m.reason for m in members.values())
    assert "files of format .fbx are not read" in reasons
    assert all(not set(i) & set("/\\{}") for i in members)


def test_formats_are_those_that_are_read():
    assert set(objaverse_xl_items.FORMATS) == set(PARSERS)


def test_an_object_more_changes_no_other(tmp_path):
    _, before = members_of(tmp_path, [f"{GITHUB},,,"])
    _, after = members_of(tmp_path, [f"{THING},,,", f"{GITHUB},,,"])
    columns = ("path", "sha256", "page")
    key = parse(GITHUB).id
    assert before[key].digest(columns) == after[key].digest(columns)


def test_a_missing_list_says_how_to_make_one(tmp_path):
    entry = {"kind": "objaverse_xl", "list": str(tmp_path / "none.csv"), "chunks": 1}
    with pytest.raises(
        item_lists.UserError, match=r"no such item list; .*objaverse_xl_list --help"
    ):
        item_lists.read_members({"xl": entry}, "xl")
    _, members = members_of(tmp_path, [])
    assert members == {}
    with pytest.raises(item_lists.UserError, match="no column 'identifier'"):
        members_of(tmp_path, ["a"], head="id")
