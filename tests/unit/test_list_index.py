"""The index of a long list says what the list does, and no job reads the list itself again."""

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from objaverse_site import uid_of

from semcorr.config.load import validate
from semcorr.datasets import list_index, members, objaverse_xl_items
from semcorr.errors import UserError
from semcorr.planning import Plan

CHUNKS = 3
COMMIT = "a" * 40
BLOB = f"https://github.com/o/r/blob/{COMMIT}"
LISTS = {
    "list.csv": "\n".join(
        [
            "id,path,category,licence,sha256",
            *(f"{uid_of(n)},glbs/000-001/{uid_of(n)}.glb,chair,by," for n in range(40)),
            *(f"{uid_of(n)},glbs/000-001/{uid_of(n)}.glb,stool,by," for n in range(40, 45)),
            "twice,a.glb,chair,cc0,",
            'twice,b.glb,stool,"by, or not",',
            "up,../x.glb,chair,by,",
            ",c.glb,chair,by,",
            "a/b,c.glb,chair,by,",
            "hash,c.glb,chair,by,xyz",
            "\N{GREEK SMALL LETTER ALPHA},c.glb,\N{GREEK SMALL LETTER BETA},by,",
            "short",
        ]
    ),
    "list.txt": "\n".join(f"000-023/{uid_of(n)}" for n in (3, 1, 2, 3)) + "\na/b\n",
    "xl.csv": "\n".join(
        [
            "identifier,path,category",
            *(f"{BLOB}/{n}.obj,,chair" for n in range(20)),
            f"{BLOB}/1.obj,,stool",
            f"{BLOB}/a.fbx,,chair",
            "nowhere,,chair",
            "nowhere,,stool",
        ]
    ),
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in LISTS.items():
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    forget()


def forget():
    """Know of lists what a new process does."""
    members._objects.cache_clear()
    objaverse_xl_items._members.cache_clear()


def entry(name):
    kind = "objaverse_xl" if name.startswith("xl") else "objaverse"
    return {"set": {"kind": kind, "list": name, "chunks": CHUNKS, "truth": None}}


def answers(name):
    """Return all that is asked of a list, and the type of what answered."""
    forget()
    found = members.read_members(entry(name), "set")
    categories = sorted({m.category for m in found.values()} | {"none"})
    return type(found), {
        "members": dict(found),
        "order": list(found),
        "count": len(found),
        "absent": [i in found for i in ("", "absent", next(iter(found)))],
        "chunks": dict(members.chunks_of(entry(name), "set")),
        "order of chunks": list(members.chunks_of(entry(name), "set")),
        "no chunk": members.chunks_of(entry(name), "set").get(CHUNKS),
        "ids": {c: members.ids_of(found, c) for c in categories},
        "first ids": {c: members.ids_of(found, c, 2) for c in categories},
        "by chunk": {c: dict(members.ids_by_chunk(entry(name), "set", c)) for c in categories},
    }


@pytest.mark.parametrize("name", LISTS)
def test_an_index_gives_the_answers_of_the_whole_list(name, monkeypatch):
    plain, expected = answers(name)
    monkeypatch.setattr(list_index, "LONG", 1)
    kind, found = answers(name)
    assert (plain, kind) == (dict, list_index.IndexedMembers)
    assert found == expected
    assert expected["count"] > 3
    again, found = answers(name)  # of the file that is there now
    assert again is list_index.IndexedMembers and found == expected


CONFIG = {
    "datasets": {"many": {"kind": "objaverse", "list": "list.csv", "chunks": CHUNKS, "truth": "mine"}},
    "methods": {"spatial": {"matcher": "spatial"}},
    "coseg": {
        "all": {"category": "chair", "poses": {"aligned": "many"}, "sources": 2, "methods": ["spatial"]},
        "named": {
            "category": "chair",
            "poses": {"aligned": "many"},
            "sources": [uid_of(1)],
            "targets": [uid_of(2), uid_of(3)],
            "methods": ["spatial"],
        },
    },
}  # fmt: skip
STAGES = ("raw", "meshes", "truth", "index")


def planned():
    """Return what every job of a configuration is given that depends on the list."""
    forget()
    plan = Plan(validate(CONFIG, []))
    chunks = [str(chunk) for chunk in range(CHUNKS + 1)]
    return {
        "members": [plan.members(stage, "many", c) for stage in STAGES for c in chunks],
        "inputs": [plan.dataset_inputs(stage, "many", c) for stage in STAGES[1:3] for c in chunks],
        "downloads": plan.downloads(),
        "index": plan.index_members("many"),
        "matches": [
            (plan.match_members(e, "aligned", c), plan.match_cfg("spatial", e, "aligned", c))
            for e in ("all", "named")
            for c in chunks
        ],
        "maps": [plan.match_inputs("spatial", e, "aligned", "0") for e in ("all", "named")],
        "scores": [plan.evaluate_inputs(e, "spatial") for e in ("all", "named")],
        "sides": [plan.sources_and_targets(e, "aligned") for e in ("all", "named")],
        "exports": plan.export_members("all", "aligned"),
        "asked for": plan.matches(),
    }


def test_a_plan_is_the_same_with_an_index(monkeypatch):
    expected = planned()
    monkeypatch.setattr(list_index, "LONG", 1)
    assert planned() == expected
    assert list_index.FOLDER.exists()
    counts = [len(rows) for rows, _ in expected["matches"]]
    assert sum(counts[: CHUNKS + 1]) == 44 and sum(counts[CHUNKS + 1 :]) == 2


def test_a_category_without_items_is_named_with_and_without_an_index(monkeypatch):
    config = CONFIG | {"coseg": {"all": CONFIG["coseg"]["all"] | {"category": "sofa"}}}
    for size in (list_index.LONG, 1):
        monkeypatch.setattr(list_index, "LONG", size)
        forget()
        plan = Plan(validate(config, []))
        for ask in (plan.target_chunks, plan.sources):
            with pytest.raises(UserError, match="no item of many has category 'sofa'"):
                ask("all", "aligned")


@pytest.fixture
def indexed(monkeypatch):
    """A list that counts as long, read once; where its index lies."""
    monkeypatch.setattr(list_index, "LONG", 1)
    answers("list.csv")
    (path,) = list_index.FOLDER.iterdir()
    return path


def test_no_other_process_reads_the_list(indexed, monkeypatch):
    def fail(*_):
        raise AssertionError("the whole list was read")

    monkeypatch.setattr(members, "read_rows", fail)
    monkeypatch.setattr(list_index.IndexedMembers, "__iter__", fail)
    forget()
    plan = Plan(validate(CONFIG, []))
    for chunk in map(str, range(CHUNKS)):
        assert plan.members("raw", "many", chunk)
        plan.dataset_inputs("truth", "many", chunk)
        assert plan.match_members("all", "aligned", chunk)
        assert len(plan.match_cfg("spatial", "all", "aligned", chunk)["sources"]) == 2
        plan.match_inputs("spatial", "all", "aligned", chunk)
    assert len(plan.evaluate_inputs("all", "spatial")["aligned_matches"]) == CHUNKS
    found = members.read_members(entry("list.csv"), "set")
    assert found[uid_of(7)].columns["path"].endswith(f"{uid_of(7)}.glb")


def test_a_list_of_the_same_size_and_date_is_read_anew(indexed, tmp_path):
    path = tmp_path / "list.csv"
    date = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace(",stool,", ",table,"))
    os.utime(path, ns=(date, date))
    _, found = answers("list.csv")
    assert len(found["ids"]["table"]) == 6 and not found["ids"].get("stool")
    (other,) = list_index.FOLDER.iterdir()
    assert other != indexed, "that of the old list is removed"


def test_a_touched_list_and_another_list_leave_an_index_alone(indexed, tmp_path):
    date = indexed.stat().st_mtime_ns
    os.utime(tmp_path / "list.csv")
    answers("list.csv")
    answers("xl.csv")
    assert indexed.stat().st_mtime_ns == date
    assert len(list(list_index.FOLDER.iterdir())) == 2


def test_other_code_or_other_chunks_make_another_index(indexed, monkeypatch):
    monkeypatch.setattr(list_index, "fingerprint", lambda *_: "other code")
    answers("list.csv")
    assert not indexed.exists()
    monkeypatch.setattr(f"{__name__}.CHUNKS", CHUNKS + 1)
    _, found = answers("list.csv")
    assert len(found["chunks"]) == CHUNKS == 4


def test_where_no_index_can_be_written_the_list_is_read(monkeypatch, tmp_path, caplog):
    _, expected = answers("list.csv")
    (tmp_path / "results").write_text("a file where the folder should be")
    monkeypatch.setattr(list_index, "LONG", 1)
    with caplog.at_level(logging.WARNING):
        kind, found = answers("list.csv")
    assert (kind, found) == (dict, expected)
    assert "reading all of it" in caplog.text


def test_a_full_disk_leaves_no_half_index(monkeypatch, caplog):
    monkeypatch.setattr(list_index, "LONG", 1)

    def full(path, *_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(list_index, "_fill", full)
    kind, _ = answers("list.csv")
    assert kind is dict and not list(list_index.FOLDER.iterdir())
    assert "No space left" in caplog.text


def test_a_list_that_is_malformed_at_its_end_leaves_no_index(monkeypatch, tmp_path):
    monkeypatch.setattr(list_index, "LONG", 1)
    with open(tmp_path / "list.csv", "ab") as file:
        file.write(b"\xff\xfe,x\n")
    forget()
    with pytest.raises(UserError, match="not readable as a list in UTF-8"):
        members.read_members(entry("list.csv"), "set")
    assert not list_index.FOLDER.exists() or not list(list_index.FOLDER.iterdir())


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_an_index_that_lost_its_end_is_made_again(indexed, left):
    whole = indexed.read_bytes()
    _, expected = answers("list.csv")
    indexed.write_bytes(whole[:left])
    assert answers("list.csv") == (list_index.IndexedMembers, expected)
    assert indexed.read_bytes() == whole


def damage(path):
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def test_of_a_damaged_index_the_list_is_read(indexed, caplog):
    _, expected = answers("list.csv")
    damage(indexed)
    assert answers("list.csv") == (dict, expected)
    assert "reading all of it" in caplog.text


def test_an_index_that_is_damaged_while_it_is_read_is_named(indexed):
    forget()
    found = members.read_members(entry("list.csv"), "set")
    damage(indexed)
    with pytest.raises(UserError, match=rf"{indexed.name}: damaged .*delete it"):
        found[uid_of(7)]


def test_several_writers_at_once(monkeypatch):
    """Each writes a file of its own and gives it its name when it is whole."""
    monkeypatch.setattr(list_index, "LONG", 1)

    def read(_):
        return list_index.read_list("list.csv", CHUNKS, members._object_rows)

    with ThreadPoolExecutor(4) as pool:
        found = [dict(each) for each in pool.map(read, range(4))]
    assert all(each == found[0] for each in found) and len(found[0]) > 40
    assert len(list(list_index.FOLDER.iterdir())) == 1


def test_what_a_killed_writer_left_is_removed_a_day_later(indexed, tmp_path):
    left = [indexed.with_name(f".x.{name}.tmp") for name in ("old", "new")]
    for path in left:
        path.write_bytes(b"half")
    yesterday = time.time() - 25 * 3600
    os.utime(left[0], (yesterday, yesterday))
    (tmp_path / "list.csv").write_text("id,path\na,b.glb\n")
    answers("list.csv")
    assert [path.exists() for path in left] == [False, True]


def test_an_index_is_for_whoever_may_read_results(indexed):
    mask = os.umask(0)
    os.umask(mask)
    assert indexed.stat().st_mode & 0o777 == 0o666 & ~mask
