"""The command that writes lists, against annotation files whole and broken."""

import csv
import gzip
import json
import re

import pytest
from objaverse_site import uid_of

from semcorr.datasets import objaverse_annotations
from semcorr.datasets.objaverse_annotations import attribution, read_annotations
from semcorr.stages.objaverse_list import command_line


@pytest.fixture
def site(site):
    """Seven objects of three categories under five licences."""
    for number, licence in enumerate(("by", "by-nc", "cc0", "by-sa", "by-nd")):
        site.add(number, licence=licence, folder=f"000-00{number % 2}")
    site.add(5, category="stool", licence="by")
    site.add(6, category="armchair")
    site.annotate()
    return site


@pytest.fixture
def write(tmp_path, capsys):
    """Run the command; return (exit code, rows by id or None, what was printed)."""

    def run(*arguments, name="list.csv"):
        out = tmp_path / name
        code = command_line([*arguments, "--out", str(out), "--cache", str(tmp_path / "cache")])
        text = "".join(capsys.readouterr())
        if code:
            return code, None, text
        with open(out, newline="", encoding="utf-8") as handle:
            return code, {row["id"]: row for row in csv.DictReader(handle)}, text

    return run


def test_categories_and_licences(site, write, tmp_path):
    code, rows, text = write("--categories", "chair,stool", "--licences", "by,by-sa,cc0")
    assert code == 0
    assert set(rows) == {uid_of(n) for n in (0, 2, 3, 5)}
    assert rows[uid_of(3)] == {
        "id": uid_of(3),
        "path": f"glbs/000-001/{uid_of(3)}.glb",
        "category": "chair",
        "licence": "by-sa",
        "author": "User 3",
        "title": "Object 3",
        "page": f"https://sketchfab.com/3d-models/{uid_of(3)}",
    }
    assert "6 objects asked for, 0 not in the data set" in text
    assert "licences: 2 by, 1 by-nc, 1 by-nd, 1 by-sa, 1 cc0" in text
    assert "4 objects written, 2 left out" in text
    first = (tmp_path / "list.csv").read_bytes()
    asked = len(site.requests)
    write("--categories", "chair,stool", "--licences", "by,by-sa,cc0", "--force")
    assert (tmp_path / "list.csv").read_bytes() == first
    assert len(site.requests) == asked  # annotation files are kept


def test_only_the_folders_of_chosen_objects_are_fetched(site, write):
    write("--categories", "armchair")
    fetched = {path for path, _ in site.requests if "metadata" in path and "cdn" not in path}
    assert {path.rpartition("/")[2] for path in fetched} == {"000-000.json.gz"}


@pytest.mark.parametrize("form", ["{}", "000-000/{}", "glbs/000-000/{}.glb"])
def test_ids_are_looked_up(site, write, tmp_path, form):
    ids = tmp_path / "ids.txt"
    lines = ["# mine", "", *(form.format(uid_of(n)) for n in (0, 5, 0, 99))]
    ids.write_text("\n".join(lines))
    code, rows, text = write("--ids", str(ids), "--category", "seat")
    assert code == 0, text
    assert set(rows) == {uid_of(0), uid_of(5)}
    assert {row["category"] for row in rows.values()} == {"seat"}
    assert "3 objects asked for, 1 not in the data set" in text


def test_a_limit_takes_the_first_ids_of_each_category(site, write):
    _, rows, _ = write("--categories", "chair,stool", "--limit", "2")
    assert set(rows) == {*sorted(uid_of(n) for n in range(5))[:2], uid_of(5)}


def test_unknown_licences_are_a_licence_of_their_own(site, write):
    del site.metadata["000-000"][uid_of(6)]["license"]
    site.annotate()
    code, _, text = write("--categories", "armchair", "--licences", "by")
    assert code == 1
    assert "nothing is left to write" in text
    assert "1 unknown" in text
    assert write("--categories", "armchair", "--licences", "by,unknown")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--categories", "chiar"], "no LVIS category 'chiar'; near to it: .*chair"),
        (["--categories", "chair", "--licences", "gpl"], "--licences: gpl; there are by"),
        (["--categories", "chair", "--limit", "0"], "--limit: expected at least 1"),
        (["--ids", "none.txt"], "none.txt: cannot be read"),
    ],
)
def test_wrong_requests_are_one_line(site, write, arguments, message):
    code, _, text = write(*arguments)
    assert code == 1
    assert re.search(message, text), text
    assert "Traceback" not in text


def test_a_list_is_not_replaced_unasked(site, write, tmp_path):
    (tmp_path / "list.csv").write_text("mine")
    code, _, text = write("--categories", "chair")
    assert (code, (tmp_path / "list.csv").read_text()) == (1, "mine")
    assert "--force" in text
    assert "a list is a .csv" in write("--categories", "chair", name="list.txt")[2]


@pytest.mark.parametrize("line", ["../../etc/passwd", "000-000/..", "000-000/xyz", "a b"])
def test_a_line_without_an_id_is_named(site, write, tmp_path, line):
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{uid_of(1)}\n{line}\n")
    code, _, text = write("--ids", str(ids))
    assert code == 1
    assert "ids.txt:2:" in text


def test_offline_says_which_file_is_missing(site, write):
    code, _, text = write("--categories", "chair", "--offline")
    assert code == 1
    assert "lvis-annotations.json.gz is missing and offline is set" in text
    assert not site.requests


def test_a_folder_of_annotation_files_is_a_mirror(site, write, tmp_path):
    for name, data in site.files.items():
        if name.endswith(".json.gz"):
            (tmp_path / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mirror" / name).write_bytes(data)
    code, rows, _ = write(
        "--categories", "stool", "--offline", "--mirror", str(tmp_path / "mirror")
    )
    assert (code, list(rows)) == (0, [uid_of(5)])
    assert not site.requests


# ------------------------------------------------------------------------------ broken annotations


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"{}", "is not gzip"),
        (b"\x1f\x8b\x08\x00 no deflate stream", "is not gzip"),
        (gzip.compress(b'{"a": [1]}')[:-6], "is cut short"),
        (gzip.compress(b"chair: 1"), "is not JSON"),
        (gzip.compress(b"\xff\xfe{}"), "is not JSON"),
        (gzip.compress(b"[" * 100_000), "is not JSON"),
        (gzip.compress(b"[1, 2]"), "holds a list, expected an object"),
        (gzip.compress(b"null"), "holds a NoneType, expected an object"),
    ],
    # not the bytes: gzip writes the time into them, and every worker must collect the same names
    ids=[
        "empty",
        "not packed",
        "bad stream",
        "cut",
        "no JSON",
        "no UTF-8",
        "nested without end",
        "a list",
        "null",
    ],
)
def test_broken_annotation_files_are_refused(tmp_path, site, write, data, message):
    path = tmp_path / "a.json.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_annotations(path)
    site.files["lvis-annotations.json.gz"] = data
    code, _, text = write("--categories", "chair")
    assert code == 1
    assert "lvis-annotations.json.gz" in text
    if data:  # an empty file is refused while it is fetched
        assert f"{tmp_path / 'cache'} to fetch it again" in text


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(objaverse_annotations, "MAX_UNPACKED", 1000)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(ValueError, match="unpacks to more than 1000 bytes"):
        read_annotations(tmp_path / "a.json.gz")


@pytest.mark.parametrize("ids", ["chair", [1], ["../x"], [f"a/{uid_of(1)}"], [None], {"a": 1}])
def test_categories_hold_ids_and_nothing_else(site, write, ids):
    site.put("lvis-annotations.json.gz", {"chair": ids})
    code, _, text = write("--categories", "chair")
    assert code == 1
    assert "does not map categories to lists of ids" in text


@pytest.mark.parametrize(
    "path",
    ["../../x.glb", "/etc/x.glb", "glbs/000-000/../x.glb", "http://x/y.glb", 7, None, ["glbs"],
     f"glbs/000-000/{uid_of(1)}.glb", f"glbs/no-folder/{uid_of(0)}.glb"],
)  # fmt: skip
def test_objects_with_unusable_paths_are_left_out(site, write, path):
    site.put("object-paths.json.gz", site.paths | {uid_of(0): path})
    code, rows, text = write("--categories", "chair")
    assert code == 0
    assert set(rows) == {uid_of(n) for n in range(1, 5)}
    assert "1 unusable paths left out" in text
    assert "1 not in the data set" in text


@pytest.mark.parametrize("known", [None, [], "x", {"user": 3, "license": ["by"], "name": None}])
def test_metadata_of_wrong_types_are_unknown(known):
    assert attribution(known) == {"licence": "", "author": "", "title": "", "page": ""}


def test_titles_become_one_short_line():
    found = attribution({"name": 'A "chair",\r\n\x00\ud800 two' + "x" * 999, "license": "BY"})
    assert found["title"].startswith('A "chair", two')
    assert len(found["title"]) == 200
    assert found["licence"] == "by"
    found["title"].encode()


def test_a_title_with_quotes_comes_back_from_the_list(site, write):
    site.metadata["000-000"][uid_of(6)]["name"] = 'Chair, "old"\n=1+1'
    site.annotate()
    _, rows, _ = write("--categories", "armchair")
    assert rows[uid_of(6)]["title"] == 'Chair, "old" =1+1'
    assert json.dumps(rows)
