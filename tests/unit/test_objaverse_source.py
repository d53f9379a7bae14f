"""One object against a server with every trouble: what is permanent, what passes, what is verified."""

import hashlib
from dataclasses import replace

import pytest
from objaverse_site import PREFIX, Trouble, glb

from semcorr.assets.download import Patience, TransientError
from semcorr.assets.sources import address_of
from semcorr.config.kinds.objaverse import DEFAULT_URL
from semcorr.datasets.objaverse_fetch import OUTAGE, Asked, fetch_all
from semcorr.datasets.objaverse_source import OfflineError, Place, bring, row_of
from semcorr.errors import ItemError, UserError

QUICK = Patience(connect=2, read=0.5, attempts=3, backoff=0.01, longest_wait=0.02)
BODY = glb(padding=40_000)
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def part(tmp_path):
    return tmp_path / "x.part"


# `site.url` is an address that is not the hub's: nothing tells hashes
HUB = Place(patience=QUICK)


def test_an_object_is_fetched_from_the_hub_and_compared_with_its_id(site, part):
    _, path = site.add(1, BODY)
    found = bring(row_of(DEFAULT_URL, path), "", part, HUB)
    assert (found.path.read_bytes(), found.sha256, found.verified) == (BODY, SHA, "hub-lfs")
    assert site.requests[0][0] == PREFIX + path


def test_an_address_of_the_hub_may_name_a_commit(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    url = DEFAULT_URL.replace("main", "21e4e14")
    assert row_of(url, "a.glb").repo == "datasets/allenai/objaverse"
    assert address_of(row_of(url, "glbs/a b.glb")) == f"{url}/glbs/a%20b.glb"
    assert row_of("https://example.org/x/", "a.glb").url == "https://example.org/x/a.glb"


def test_a_hash_of_the_list_counts_more_than_the_form(site, part):
    _, path = site.add(1, b"no glb at all")
    known = hashlib.sha256(b"no glb at all").hexdigest()
    assert bring(row_of(site.url, path), known, part, HUB).verified == "sha256"


@pytest.mark.parametrize("status", [404, 410, 451])
def test_what_the_server_does_not_have_is_missing(site, part, status):
    _, path = site.add(1, BODY, forever=status)
    with pytest.raises(ItemError, match="is not on the server") as error:
        bring(row_of(DEFAULT_URL, path), "", part, HUB)
    assert error.value.status == "missing"
    assert "127.0.0.1" not in error.value.reason
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_troubles_of_the_server_pass(site, part, status):
    _, path = site.add(1, BODY, statuses=[status, status])
    assert bring(row_of(DEFAULT_URL, path), "", part, HUB).sha256 == SHA


@pytest.mark.parametrize("trouble", [{"forever": 503}, {"silent": 2.0}, {"drop_after": [0] * 9}])
def test_troubles_that_last_are_raised_and_never_missing(site, part, trouble):
    _, path = site.add(1, BODY, **trouble)
    with pytest.raises(TransientError):
        bring(row_of(DEFAULT_URL, path), "", part, HUB)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_access_is_no_fault_of_an_object(site, part, status):
    _, path = site.add(1, BODY, forever=status)
    with pytest.raises(UserError, match=f"HTTP {status}.*nothing was recorded"):
        bring(row_of(DEFAULT_URL, path), "", part, HUB)


def test_a_slow_object_arrives_and_a_cut_one_goes_on_where_it_was(site, part):
    _, path = site.add(1, BODY, seconds_per_block=0.01, drop_after=[20_000, 8192])
    assert bring(row_of(DEFAULT_URL, path), "", part, HUB).sha256 == SHA
    assert site.asked(path) == [None, "bytes=20000-", "bytes=28192-"]


def test_bytes_that_arrived_are_used_by_the_next_process(site, part):
    _, path = site.add(1, BODY, drop_after=[20_000])
    with pytest.raises(TransientError):
        bring(
            row_of(DEFAULT_URL, path), "", part, replace(HUB, patience=replace(QUICK, attempts=1))
        )
    assert bring(row_of(DEFAULT_URL, path), "", part, HUB).sha256 == SHA
    assert site.asked(path) == [None, "bytes=20000-"]
    bring(row_of(DEFAULT_URL, path), "", part, HUB)  # complete: nothing is asked
    assert len(site.asked(path)) == 2


def test_bytes_damaged_on_the_line_are_fetched_again(site, part):
    damaged = BODY[:-1] + b"x"
    _, path = site.add(1, BODY, bodies=[damaged, BODY])
    assert bring(row_of(DEFAULT_URL, path), "", part, HUB).sha256 == SHA
    site.troubles[path].bodies = [damaged]
    part.unlink()
    with pytest.raises(TransientError, match="the hub says"):
        bring(row_of(DEFAULT_URL, path), "", part, HUB)


def test_other_content_than_the_list_says_is_modified(site, part):
    _, path = site.add(1, BODY)
    with pytest.raises(ItemError, match=f"the hub now has sha256 {SHA}") as error:
        bring(row_of(DEFAULT_URL, path), "0" * 64, part, HUB)
    assert error.value.status == "modified"
    assert not part.exists()
    site.troubles[path] = Trouble(told="")
    with pytest.raises(ItemError, match=f"sha256 is {SHA}, the list says 000") as error:
        bring(row_of(site.url, path), "0" * 64, part, HUB)
    assert error.value.status == "modified"
    assert not part.exists()


def test_a_wrong_hash_once_is_the_lines_fault(site, part):
    _, path = site.add(1, BODY, bodies=[BODY[:-1] + b"x", BODY])
    assert bring(row_of(site.url, path), SHA, part, HUB).sha256 == SHA
    site.troubles[path].bodies = [BODY + b"1", BODY + b"2", BODY + b"3"]
    part.unlink()
    with pytest.raises(TransientError):
        bring(row_of(site.url, path), SHA, part, HUB)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BODY[:-100], f"is truncated: {len(BODY) - 100} of {len(BODY)} bytes"),
        (b"<html>Please log in</html>", "is not a GLB file"),
        (b"glTF", "is not a GLB file"),
    ],
)
def test_what_is_no_whole_glb_is_asked_for_twice_and_failed(site, part, body, reason):
    _, path = site.add(1, body)
    with pytest.raises(ItemError, match=reason) as error:
        bring(row_of(DEFAULT_URL, path), "", part, HUB)
    assert error.value.status == "failed"
    assert len(site.asked(path)) == 2


def test_a_login_page_that_goes_away_is_not_remembered(site, part):
    _, path = site.add(1, BODY, bodies=[b"<html>wait</html>", BODY])
    assert bring(row_of(site.url, path), "", part, HUB).sha256 == SHA


def test_too_large_an_object_is_refused(site, part):
    _, path = site.add(1, BODY)
    with pytest.raises(ItemError, match="more than the cap of 1000 .max_bytes") as error:
        bring(row_of(DEFAULT_URL, path), "", part, replace(HUB, max_bytes=1000))
    assert error.value.status == "failed"


# ------------------------------------------------------------------------------ mirror, offline


@pytest.mark.parametrize("folder", ["objaverse", "datasets/allenai/objaverse", ""])
def test_the_mirror_is_looked_at_first_and_its_files_stay_there(site, part, tmp_path, folder):
    _, path = site.add(1, BODY)
    file = tmp_path / "mirror" / folder / path
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    found = bring(
        row_of(DEFAULT_URL, path),
        "",
        part,
        replace(HUB, mirror=str(tmp_path / "mirror"), offline=True),
    )
    assert (found.path, found.sha256) == (file, SHA)
    assert not site.requests


@pytest.mark.parametrize("broken", [BODY[:100], b"", b"<html>"])
def test_a_broken_file_of_the_mirror_is_passed_over(site, part, tmp_path, broken, caplog):
    _, path = site.add(1, BODY)
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_bytes(broken)
    assert (
        bring(row_of(DEFAULT_URL, path), "", part, replace(HUB, mirror=str(tmp_path))).verified
        == "hub-lfs"
    )
    assert "trying the next place" in caplog.text


def test_offline_says_what_is_missing_and_how_to_get_it(site, part):
    _, path = site.add(1, BODY)
    with pytest.raises(OfflineError, match=f"(?s){path}.*offline is set.*SEMCORR_MIRROR"):
        bring(row_of(DEFAULT_URL, path), "", part, replace(HUB, offline=True, mirror=site.endpoint))
    assert not site.requests


# ------------------------------------------------------------------------------ many objects


def members_of(site, numbers, **trouble):
    rows = [site.add(n, **trouble) for n in numbers]
    return {uid: Asked(row_of(DEFAULT_URL, path)) for uid, path in rows}


def test_an_object_that_fails_for_now_does_not_stop_the_others(site, tmp_path):
    good, bad = members_of(site, range(6)), members_of(site, [6], forever=503)
    gone = members_of(site, [7], forever=404)
    with pytest.raises(TransientError, match=r"1 of 8 objects .*nothing was recorded as missing"):
        fetch_all(bad | good | gone, tmp_path, HUB, 2)
    assert all(len(site.asked(m.row.file)) == 1 for m in good.values())
    site.troubles.clear()
    outcomes = fetch_all(bad | good, tmp_path, HUB, 2)
    assert {o.verified for o in outcomes.values()} == {"hub-lfs"}
    assert all(len(site.asked(m.row.file)) == 1 for m in (good | bad).values())


def test_a_missing_object_is_an_outcome(site, tmp_path):
    outcomes = fetch_all(members_of(site, [1], body=b"") | members_of(site, [2]), tmp_path, HUB, 2)
    assert sorted(getattr(o, "status", "ok") for o in outcomes.values()) == ["missing", "ok"]


def test_an_outage_is_noticed_soon(site, tmp_path):
    members = members_of(site, range(40), forever=503)
    with pytest.raises(TransientError, match="40 of 40 objects"):
        fetch_all(members, tmp_path, HUB, 2)
    assert len({path for path, _ in site.requests}) <= OUTAGE + 2


def test_offline_counts_what_is_missing(site, tmp_path):
    with pytest.raises(OfflineError, match="4 more of 5 likewise"):
        fetch_all(members_of(site, range(5)), tmp_path, replace(HUB, offline=True), 2)
