"""Lists of objects: what a row may be, and what a malformed one does to the plan."""

import lzma
import time
from hashlib import sha256
from pathlib import Path

import pytest
from objaverse_site import uid_of

from semcorr.datasets import members as item_lists
from semcorr.datasets.object_list import read_rows
from semcorr.errors import UserError

UID, OTHER = uid_of(1), uid_of(2)
PATH = f"glbs/000-023/{UID}.glb"
# Published, and no object of ours: tests/data/README.md
PUBLISHED = Path(__file__).parents[1] / "data/objaverse_10k.txt.xz"


@pytest.fixture(autouse=True)
def _no_cache():
    item_lists._objects.cache_clear()


def entry(path, **keys):
    base = {"kind": "objaverse", "list": str(path), "chunks": 1, "truth": None}
    return {"set": base | keys}


def members(tmp_path, text, name="list.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return item_lists.read_members(entry(path), "set")


def test_lines_of_folder_and_id(tmp_path):
    text = f"# the test list\n\n000-023/{UID}\n 000-159/{OTHER} \n"
    found = members(tmp_path, text, "list.txt")
    assert {i: m.columns["path"] for i, m in found.items()} == {
        UID: PATH,
        OTHER: f"glbs/000-159/{OTHER}.glb",
    }
    assert {m.status for m in found.values()} == {"ok"}


def test_a_few_objects_have_ids_of_27_letters_and_digits(tmp_path):
    old = "k4jhNxJvr90AGiLSzqBXEl4X588"
    found = members(tmp_path, f"000-066/{old}\n", "list.txt")
    assert (found[old].status, found[old].columns["path"]) == ("ok", f"glbs/000-066/{old}.glb")
    with pytest.raises(UserError, match="is given without its folder"):
        members(tmp_path, f"{old}\n", "bare.txt")


def test_the_ten_thousand_objects_of_the_equivariance_paper(tmp_path):
    """Every line is an object that can be fetched, no one is there twice, and chunks are hash buckets."""
    path = tmp_path / "10k.txt"
    path.write_bytes(lzma.decompress(PUBLISHED.read_bytes()))
    lines = path.read_text().split()
    start = time.process_time()
    chunks = item_lists.chunks_of(entry(path, chunks=80), "set")
    assert time.process_time() - start < 2.0
    found = {m.id: m for members in chunks.values() for m in members}
    assert sum(map(len, chunks.values())) == len(found) == len(lines) == 10_000
    assert {m.status for m in found.values()} == {"ok"}
    for folder, uid in (line.split("/") for line in lines):
        assert found[uid].columns["path"] == f"glbs/{folder}/{uid}.glb"
    for chunk, members in chunks.items():
        assert {int(sha256(m.id.encode()).hexdigest(), 16) % 80 for m in members} == {chunk}
    assert len(chunks) == 80
    assert 80 < min(map(len, chunks.values())) <= max(map(len, chunks.values())) < 170


def test_a_csv_may_have_the_same_ids_or_paths_of_their_own(tmp_path):
    text = f"id,path,category,licence\n000-023/{UID},,chair,by\nmine,own/a_b-1.glb,stool,cc0\n"
    found = members(tmp_path, text)
    assert found[UID].columns["path"] == PATH
    assert (found["mine"].status, found["mine"].category) == ("ok", "stool")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../../etc/passwd.glb", "outside"),
        ("glbs/../../x.glb", "outside"),
        ("/etc/x.glb", "outside"),
        ("https://elsewhere/x.glb", "bad_name"),
        ("glbs/x.obj", "bad_name"),
        ("glbs/x.glb?download=1", "bad_name"),
        ("glbs\\x.glb", "bad_name"),
        ("glbs/%2e%2e/x.glb", "bad_name"),
        ("glbs/.hidden.glb", "bad_name"),
        ("glbs/{x}.glb", "bad_name"),
        ("", "bad_name"),
    ],
)
def test_paths_that_lead_elsewhere_are_rows_with_a_status(tmp_path, path, status):
    found = members(tmp_path, f"id,path\nwrong,{path}\ngood,{PATH}\n")
    assert (found["wrong"].status, found["good"].status) == (status, "ok")
    assert repr(path) in found["wrong"].reason


@pytest.mark.parametrize("line", [f"000-023/{UID}/..", f"../{UID}", "000-023/../x", "a/b", "{x}"])
def test_lines_that_hold_no_id_are_rows_with_a_status(tmp_path, line):
    found = members(tmp_path, f"000-023/{UID}\n{line}\n", "list.txt")
    assert (found[line].status, found[UID].status) == ("bad_name", "ok")


def test_ids_given_twice_and_wrong_hashes_are_rows_with_a_status(tmp_path):
    rows = [f"twice,{PATH},", f"twice,{PATH},", f"hash,{PATH},xyz", f",{PATH},", f"short,{PATH}"]
    found = members(tmp_path, "\n".join(["id,path,sha256", *rows]) + "\n")
    assert {i: m.status for i, m in found.items()} == {
        "(empty id)": "bad_name",
        "hash": "bad_name",
        "short": "ok",
        "twice": "duplicate",
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "", "no column 'id'; columns are none"),
        ("list.csv", "uid,path\nx,y\n", "no column 'id'; columns are uid, path"),
        ("list.csv", b"id,path\n\xff\xfe,x\n", "not readable as a list in UTF-8"),
        ("list.csv", 'id,path\n"a"b,c\n', "not readable as a list"),
        ("list.txt", b"\x80\x81", "not readable as a list in UTF-8"),
        ("list.txt", f"000-023/{OTHER}\n{UID}\n", f"{UID} is given without its folder.*--ids"),
    ],
)
def test_unusable_lists_stop_with_the_remedy(tmp_path, name, text, message):
    with pytest.raises(UserError, match=message):
        members(tmp_path, text, name)


def test_no_list_and_a_folder_in_its_place(tmp_path):
    with pytest.raises(UserError, match=r"no such item list; python -m semcorr.stages.objaverse"):
        list(read_rows(str(tmp_path / "none.csv")))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        list(read_rows(str(tmp_path / "folder.csv")))


def test_variables_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("LISTS", str(tmp_path))
    (tmp_path / "a.txt").write_text(f"000-023/{UID}\n")
    found = item_lists.read_members(entry("$LISTS/a.txt"), "set")
    assert [(m.id, m.columns["path"]) for m in found.values()] == [(UID, PATH)]


def test_an_object_more_changes_one_chunk(tmp_path):
    def chunks(count):
        path = tmp_path / f"{count}.txt"
        path.write_text("".join(f"000-023/{uid_of(n)}\n" for n in range(count)))
        return item_lists.chunks_of(entry(path, chunks=8), "set")

    few, more = chunks(60), chunks(61)
    assert len([c for c in more if few.get(c) != more[c]]) == 1


def test_truth_files_of_some_objects_are_inputs(tmp_path):
    found = list(members(tmp_path, f"id,path\nlabelled,{PATH}\nplain,{PATH}\n").values())
    truth = tmp_path / "truth"
    (truth / "labels").mkdir(parents=True)
    (truth / "labels/labelled.json").write_text("{}")
    (truth / "symmetry.json").write_text("{}")
    with_truth = entry(tmp_path / "list.csv", truth=str(truth))["set"]
    assert item_lists.truth_files(with_truth, found) == [
        str(truth / "labels/labelled.json"),
        str(truth / "symmetry.json"),
    ]
    assert item_lists.truth_files(entry(tmp_path / "list.csv")["set"], found) == []
    assert item_lists.mesh_files(with_truth, found) == []
