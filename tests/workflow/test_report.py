"""`snakemake --report`: everything that a reader wants is in it, with a caption and labels."""

import re
import zipfile

import harness
import pytest
import report_page
import small
from walk import TASKS, Walk


@pytest.fixture(scope="module")
def archive(prepared, tmp_path_factory):
    """The report of everything, as an open archive."""
    path = tmp_path_factory.mktemp("report") / "report.zip"
    nowhere = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy"), "http://127.0.0.1:9")
    work = harness.Work(prepared.folder, prepared.repository, prepared.environment | nowhere)
    work.run(*small.TARGETS, "--report", str(path), cores=1)
    with zipfile.ZipFile(path) as found:
        yield found


@pytest.fixture(scope="module")
def entries(archive):
    """{path: what the page knows of it}."""
    return report_page.entries_of(archive)


def test_all_tables_and_pictures_are_in_the_report(prepared, entries):
    walk = Walk(small.CONFIG, prepared.folder).everything()
    tables = {f"results/{t}/{e}.json" for t in TASKS for e in small.CONFIG[t]}
    tables.add("results/figures/costs.csv")
    assert entries.keys() == {p for p in walk.signatures if p.endswith(".png")} | tables


def test_every_entry_has_a_caption_and_labels_that_say_what_it_is(entries):
    for path, entry in entries.items():
        assert len(entry["caption"]) > 60, path
        # a caption that Snakemake could not fill in, or that is no valid text
        assert not re.search(r"\{\{|\}\}|system-message|problematic", entry["caption"]), path
        assert all(entry["labels"].values()), path
        place = {"experiment", "model"} & entry["labels"].keys()
        name = entry["labels"][place.pop()]
        assert name == "all" or name in path, (path, entry["labels"])
        kinds = ("_maps.png", "_parts.png", "_votes.png", "_textures.png", "_errors.png")
        of_a_pose = path.endswith(kinds)
        assert ("pose" in entry["labels"]) == of_a_pose, path
    told = [tuple(sorted(entry["labels"].items())) for entry in entries.values()]
    assert len(set(told)) == len(told), "two entries that a reader cannot tell apart"


def test_the_files_in_the_report_are_the_results(archive, prepared, entries):
    for path, entry in entries.items():
        packed = report_page.packed(archive, entry)
        assert packed == (prepared.folder / path).read_bytes(), path
