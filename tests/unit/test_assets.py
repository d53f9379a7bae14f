"""Assets against a local server that misbehaves in every way that servers do."""

import contextlib
import errno
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from semcorr.assets import part as part_module
from semcorr.assets.download import Patience, SourceError, TransientError, _next_address
from semcorr.assets.fetch import fetch
from semcorr.assets.records import is_present, read_record, state_of
from semcorr.assets.table import COLUMNS, AssetRow, asset_keys, read_table, rows_of
from semcorr.errors import UserError
from semcorr.stages import fetch_asset

BODY = random.Random(0).randbytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()
OTHER = random.Random(1).randbytes(300_000)
QUICK = Patience(connect=2, read=2, attempts=4, backoff=0.01, longest_wait=0.05)


@dataclass
class Behaviour:
    """What the server does with one path; the lists are consumed request by request."""

    body: bytes = BODY
    bodies: list = field(default_factory=list)  # one body a request; the last one stays
    etag: str | None = "auto"
    statuses: list = field(default_factory=list)  # answered before anything else
    headers: dict = field(default_factory=dict)
    drop_after: list = field(default_factory=list)  # bytes sent before the connection is cut
    ranges: bool = True
    if_range: bool = True
    announce: int | None = None  # a wrong Content-Length
    length: bool = True
    redirect: str | None = None
    seconds_per_block: float = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site.requests.append((self.path, dict(self.headers)))
        behaviour = site.paths.get(self.path)
        if behaviour is None:
            return self.empty(404)
        if behaviour.statuses:
            status = behaviour.statuses.pop(0)
            return self.empty(status, behaviour.headers)
        if behaviour.redirect is not None:
            return self.empty(302, {**behaviour.headers, "Location": behaviour.redirect})
        self.body(behaviour)

    def empty(self, status, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self, behaviour):
        if behaviour.bodies:
            behaviour.body = behaviour.bodies.pop(0)
        body = behaviour.body
        etag = f'"{hashlib.md5(body).hexdigest()}"' if behaviour.etag == "auto" else behaviour.etag
        start = self.start_of(body, etag, behaviour)
        self.send_response(206 if start else 200)
        if etag:
            self.send_header("ETag", etag)
        for name, value in behaviour.headers.items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if behaviour.length:
            self.send_header("Content-Length", str(behaviour.announce or len(body) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        limit = behaviour.drop_after.pop(0) if behaviour.drop_after else None
        rest = body[start:] if limit is None else body[start : start + limit]
        with contextlib.suppress(OSError):
            for i in range(0, len(rest), 1 << 14):
                self.wfile.write(rest[i : i + (1 << 14)])
                self.server.site.sent += len(rest[i : i + (1 << 14)])
                time.sleep(behaviour.seconds_per_block)

    def start_of(self, body, etag, behaviour):
        wanted = self.headers.get("Range")
        if not wanted or not behaviour.ranges:
            return 0
        if behaviour.if_range and self.headers.get("If-Range") not in (None, etag):
            return 0
        return int(wanted.removeprefix("bytes=").rstrip("-"))


class Site:
    def __init__(self):
        self.paths, self.requests, self.sent = {}, [], 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, path, **behaviour):
        self.paths[path] = Behaviour(**behaviour)
        return self.url + path

    def ranges(self):
        return [headers.get("Range") for _, headers in self.requests]


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("SEMCORR_MIRROR", "HF_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def row(**changes):
    base = AssetRow(key="net", kind="weights", file="net.bin", licence="MIT", max_bytes=10**6)
    return replace(base, **changes)


def bring(rows, folder, **options):
    options = {"progress": False, "timeouts": QUICK, **options}
    return fetch("net", rows, folder, **options)


def stored(folder, file="net.bin"):
    return (Path(folder) / "net" / file).read_bytes()


def file_record(folder, number=0):
    return json.loads((Path(folder) / "net.json").read_text())["files"][number]


# ---------------------------------------------------------------------------- the plain way


def test_fetch_writes_file_record_and_nothing_partial(site, tmp_path):
    url = site.add("/net.bin")
    path = bring(row(url=url, sha256=SHA, bytes=len(BODY)), tmp_path)
    assert path == tmp_path / "net.json"
    assert stored(tmp_path) == BODY
    record = json.loads(path.read_text())
    assert record["sha256"] == SHA and record["bytes"] == len(BODY)
    assert record["licence"] == "MIT" and record["verified"] == "sha256"
    assert record["files"][0]["source"] == url
    assert not [*tmp_path.rglob("*.part"), *tmp_path.rglob("*.part.json")]
    assert is_present("net", tmp_path)


def test_second_fetch_asks_nothing_and_record_is_identical(site, tmp_path):
    wanted = row(url=site.add("/net.bin"), sha256=SHA)
    first = bring(wanted, tmp_path).read_bytes()
    (tmp_path / "net.json").unlink()  # as the workflow engine does before a rule runs again
    assert bring(wanted, tmp_path).read_bytes() == first
    assert len(site.requests) == 1


def test_several_files_of_one_key(site, tmp_path):
    rows = [
        row(url=site.add("/a"), file="sub/a.json", sha256=SHA),
        row(url=site.add("/b", body=OTHER), file="b.bin"),
    ]
    bring(rows, tmp_path)
    record = read_record("net", tmp_path)
    assert [f["file"] for f in record["files"]] == ["sub/a.json", "b.bin"]
    assert record["verified"] == "first-use"  # the weakest of its files
    assert record["bytes"] == len(BODY) + len(OTHER)
    assert (tmp_path / "net/b.bin").read_bytes() == OTHER


def test_damaged_file_in_place_is_fetched_again(site, tmp_path, caplog):
    wanted = row(url=site.add("/net.bin"), sha256=SHA)
    bring(wanted, tmp_path)
    (tmp_path / "net" / "net.bin").write_bytes(BODY[:-1] + b"x")
    bring(wanted, tmp_path)
    assert stored(tmp_path) == BODY and "fetched again" in caplog.text


# ---------------------------------------------------------------------------- bad connections


def test_dropped_connections_resume_where_they_broke(site, tmp_path):
    url = site.add("/net.bin", drop_after=[100_000, 50_000])
    bring(row(url=url, sha256=SHA), tmp_path)
    assert stored(tmp_path) == BODY
    assert site.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert site.sent == len(BODY)


def test_resume_without_a_known_hash_needs_and_uses_the_etag(site, tmp_path):
    bring(row(url=site.add("/net.bin", drop_after=[100_000])), tmp_path)
    assert stored(tmp_path) == BODY
    assert site.requests[1][1]["If-Range"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    assert site.sent == len(BODY)


def test_no_validator_and_no_hash_starts_again(site, tmp_path):
    bring(row(url=site.add("/net.bin", etag=None, drop_after=[100_000])), tmp_path)
    assert stored(tmp_path) == BODY and site.ranges() == [None, None]


def test_weak_etag_is_no_validator(site, tmp_path):
    bring(row(url=site.add("/net.bin", etag='W/"x"', drop_after=[100_000])), tmp_path)
    assert stored(tmp_path) == BODY and site.ranges() == [None, None]


def test_server_without_ranges_starts_again(site, tmp_path):
    url = site.add("/net.bin", ranges=False, drop_after=[100_000])
    bring(row(url=url, sha256=SHA), tmp_path)
    assert stored(tmp_path) == BODY
    assert site.ranges() == [None, "bytes=100000-"] and site.sent == len(BODY) + 100_000


@pytest.mark.parametrize("if_range", [True, False])
def test_content_changed_between_two_requests_is_not_glued(site, tmp_path, if_range):
    url = site.add("/net.bin", bodies=[BODY, OTHER], drop_after=[100_000], if_range=if_range)
    bring(row(url=url), tmp_path)
    assert stored(tmp_path) == OTHER


def test_short_body_is_noticed_and_completed(site, tmp_path):
    url = site.add("/net.bin", drop_after=[len(BODY) - 1])
    bring(row(url=url), tmp_path)
    assert stored(tmp_path) == BODY


def test_truncated_body_with_a_matching_length_is_wrong_content(site, tmp_path):
    wanted = row(url=site.add("/net.bin", bodies=[BODY[:1000], BODY]), bytes=len(BODY), sha256=SHA)
    bring(wanted, tmp_path)
    assert stored(tmp_path) == BODY and len(site.requests) == 2


def test_chunked_answer_without_length(site, tmp_path):
    bring(row(url=site.add("/net.bin", length=False), bytes=len(BODY), sha256=SHA), tmp_path)
    assert stored(tmp_path) == BODY


def test_corruption_once_is_mended(site, tmp_path, caplog):
    bring(row(url=site.add("/net.bin", bodies=[OTHER, BODY]), sha256=SHA), tmp_path)
    assert stored(tmp_path) == BODY and "once more" in caplog.text


def test_corruption_always_is_refused(site, tmp_path):
    with pytest.raises(UserError, match=f"net.bin.*{hashlib.sha256(OTHER).hexdigest()}.*{SHA}"):
        bring(row(url=site.add("/net.bin", body=OTHER), sha256=SHA), tmp_path)
    assert len(site.requests) == 2 and not is_present("net", tmp_path)
    assert not list(tmp_path.rglob("*.part")) and not (tmp_path / "net.json").exists()


def test_resumed_half_that_was_damaged_is_fetched_anew(site, tmp_path):
    wanted = row(url=site.add("/net.bin", drop_after=[100_000, 0, 0, 0]), sha256=SHA)
    with pytest.raises(OSError):
        bring(wanted, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    part.write_bytes(bytes(100_000))
    bring(wanted, tmp_path)
    assert stored(tmp_path) == BODY
    assert site.ranges()[-2:] == ["bytes=100000-", None]


def test_503_with_retry_after_is_tried_again_with_a_cap(site, tmp_path):
    url = site.add("/net.bin", statuses=[503, 503], headers={"Retry-After": "3600"})
    start = time.monotonic()
    bring(row(url=url), tmp_path)
    assert stored(tmp_path) == BODY and 0.09 < time.monotonic() - start < 2


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_transient_status_for_ever_raises_an_os_error(site, tmp_path, status):
    url = site.add("/net.bin", statuses=[status] * 99)
    with pytest.raises(OSError, match=f"HTTP {status}"):
        bring(row(url=url), tmp_path)
    assert len(site.requests) == QUICK.attempts


@pytest.mark.parametrize("status", [404, 403, 410])
def test_permanent_status_is_asked_once(site, tmp_path, status):
    url = site.add("/net.bin", statuses=[status] * 99)
    with pytest.raises(UserError, match=f"HTTP {status}.*SEMCORR_MIRROR"):
        bring(row(url=url), tmp_path)
    assert len(site.requests) == 1


def test_nobody_listens(tmp_path):
    with pytest.raises(TransientError, match="no answer from 127.0.0.1:9"):
        bring(row(url="http://127.0.0.1:9/net.bin"), tmp_path)


def test_server_that_hangs(site, tmp_path):
    url = site.add("/net.bin", seconds_per_block=0.6)
    with pytest.raises(TransientError, match="net.bin"):
        bring(row(url=url), tmp_path, timeouts=replace(QUICK, read=0.15, attempts=1))
    assert list(tmp_path.rglob("*.part"))  # what arrived is kept


def test_progress_between_drops_does_not_count_as_failure(site, tmp_path):
    big = random.Random(2).randbytes(6 << 20)
    url = site.add("/net.bin", body=big, drop_after=[(1 << 20) + 5] * 5)
    bring(row(url=url, max_bytes=7 << 20), tmp_path, timeouts=replace(QUICK, attempts=2))
    assert stored(tmp_path) == big and site.sent == len(big)


# ---------------------------------------------------------------------------- redirects, limits


def test_redirects_are_followed(site, tmp_path):
    site.add("/c/net.bin")
    site.add("/b", redirect="/c/net.bin")
    bring(row(url=site.add("/a", redirect=site.url + "/b"), sha256=SHA), tmp_path)
    assert stored(tmp_path) == BODY


def test_redirect_loop_ends(site, tmp_path):
    site.add("/b", redirect="/a")
    with pytest.raises(UserError, match="more than 8 redirects"):
        bring(row(url=site.add("/a", redirect="/b")), tmp_path)
    assert len(site.requests) == 9


@pytest.mark.parametrize("target", ["http://example.org/x", "file:///etc/passwd", "ftp://e.org/x"])
def test_downgrades_are_refused(target):
    with pytest.raises(SourceError, match="refused a redirect from https"):
        _next_address("https://example.org/a", target)
    assert _next_address("https://example.org/a/b", "../c") == "https://example.org/c"


def test_redirect_to_a_local_file_is_refused(site, tmp_path):
    with pytest.raises(UserError, match="refused a redirect from http to file"):
        bring(row(url=site.add("/a", redirect="file:///etc/hostname")), tmp_path)


@pytest.mark.parametrize("length", [True, False])
def test_more_than_the_declared_cap_is_refused(site, tmp_path, length):
    url = site.add("/net.bin", length=length)
    with pytest.raises(UserError, match="cap of 200000"):
        bring(row(url=url, max_bytes=200_000), tmp_path)
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("net.bin"))


def test_disk_space_is_checked_before(site, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(part_module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OSError, match="no space left.*0 MB free") as caught:
        bring(row(url=site.add("/net.bin"), bytes=len(BODY)), tmp_path)
    assert caught.value.errno == errno.ENOSPC and site.requests == []


def test_encoded_body_is_refused(site, tmp_path):
    url = site.add("/net.bin", headers={"Content-Encoding": "gzip"})
    with pytest.raises(UserError, match="encoded body"):
        bring(row(url=url), tmp_path)


# ---------------------------------------------------------------------------- trust


def test_first_use_is_pinned_and_a_later_change_refused(site, tmp_path):
    wanted = row(url=site.add("/net.bin"))
    bring(wanted, tmp_path)
    assert file_record(tmp_path)["verified"] == "first-use"
    shutil.rmtree(tmp_path / "net")
    (tmp_path / "net.json").unlink()
    site.add("/net.bin", body=OTHER)
    with pytest.raises(UserError, match=f"first seen with sha256 {SHA}.*delete.*net.json"):
        bring(wanted, tmp_path)
    assert not (tmp_path / "net" / "net.bin").exists()
    (tmp_path / ".pins" / "net.json").unlink()
    bring(wanted, tmp_path)
    assert stored(tmp_path) == OTHER


def hub_rows(**changes):
    return row(repo="owner/name", revision="main", file="ckpts/w.safetensors", **changes)


def hub(site, monkeypatch, body=BODY, told=None, commit="c" * 40):
    """Like the hub: ids in the first answer, a redirect to another host for the bytes."""
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    told = told or hashlib.sha256(body).hexdigest()
    site.add(
        "/owner/name/resolve/main/ckpts/w.safetensors",
        redirect=site.url.replace("127.0.0.1", "localhost") + "/cdn/w",
        headers={"X-Linked-Etag": f'"{told}"', "X-Repo-Commit": commit},
    )
    site.add("/cdn/w", body=body, headers={"X-Linked-Etag": '"evil"', "X-Repo-Commit": "evil"})


def test_hub_file_is_verified_against_its_lfs_id(site, tmp_path, monkeypatch):
    hub(site, monkeypatch)
    bring(hub_rows(), tmp_path)
    record = file_record(tmp_path)
    assert record["verified"] == "hub-lfs" and record["commit"] == "c" * 40
    assert record["sha256"] == SHA and record["source"] == "hub:owner/name/ckpts/w.safetensors"
    assert stored(tmp_path, "ckpts/w.safetensors") == BODY


def test_hub_bytes_that_are_not_its_lfs_id_are_refused(site, tmp_path, monkeypatch):
    hub(site, monkeypatch, told=hashlib.sha256(OTHER).hexdigest())
    with pytest.raises(UserError, match="the hub says"):
        bring(hub_rows(), tmp_path)


def test_other_hosts_have_no_say_in_the_identity(site, tmp_path, monkeypatch):
    hub(site, monkeypatch)
    site.paths["/owner/name/resolve/main/ckpts/w.safetensors"].headers = {}
    site.paths["/cdn/w"].headers["X-Linked-Etag"] = f'"{SHA}"'
    bring(hub_rows(), tmp_path)
    record = file_record(tmp_path)
    assert record["verified"] == "first-use" and record["commit"] == ""


def test_hub_resume_keeps_the_ids(site, tmp_path, monkeypatch):
    hub(site, monkeypatch)
    site.paths["/cdn/w"].drop_after = [100_000]
    bring(hub_rows(), tmp_path)
    assert file_record(tmp_path)["verified"] == "hub-lfs" and site.sent == len(BODY)


def test_hub_small_file_is_verified_against_its_git_id(site, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    text = b'{"name": "net"}'
    blob = hashlib.sha1(b"blob 15\0" + text).hexdigest()
    address = "/owner/name/resolve/main/ckpts/w.safetensors"
    site.add(address, body=text, etag=f'"{blob}"', headers={"X-Repo-Commit": "d" * 40})
    bring(hub_rows(), tmp_path)
    assert file_record(tmp_path)["verified"] == "hub-git"
    site.add(address, body=text + b" ", etag=f'"{blob}"')
    with pytest.raises(UserError, match="git blob id"):
        bring(hub_rows(), tmp_path / "again")


def test_hub_that_moved_on_is_refused_before_the_download(site, tmp_path, monkeypatch):
    hub(site, monkeypatch)
    bring(hub_rows(), tmp_path)
    shutil.rmtree(tmp_path / "net")
    hub(site, monkeypatch, body=OTHER, commit="e" * 40)
    site.paths["/cdn/w"].seconds_per_block = 0.05
    sent = site.sent
    with pytest.raises(UserError, match="hub now has sha256.*first seen"):
        bring(hub_rows(), tmp_path)
    assert site.sent - sent < len(OTHER)


def test_licence_must_be_accepted(site, tmp_path):
    wanted = row(url=site.add("/net.bin"), non_commercial=True, licence="CC-BY-NC-4.0")
    with pytest.raises(UserError, match=r"CC-BY-NC-4.0.*accept_licences: \[net\]"):
        bring(wanted, tmp_path)
    assert site.requests == []
    bring(wanted, tmp_path, accept_licences=["net"])
    assert read_record("net", tmp_path)["non_commercial"] is True


# ---------------------------------------------------------------------------- mirrors, offline


@pytest.mark.parametrize("place", ["net", "owner/name", ""])
def test_mirror_folder_is_looked_at_first(tmp_path, place):
    target = tmp_path / "mirror" / place / "ckpts" / "w.safetensors"
    target.parent.mkdir(parents=True)
    target.write_bytes(BODY)
    bring(hub_rows(sha256=SHA), tmp_path / "out", mirror=str(tmp_path / "mirror"), offline=True)
    record = file_record(tmp_path / "out")
    assert record["source"] == "mirror:" + "/".join(filter(None, (place, "ckpts/w.safetensors")))
    assert record["verified"] == "sha256" and target.read_bytes() == BODY


def test_the_assets_of_one_checkout_are_a_mirror_for_another(site, tmp_path):
    rows = [row(file=f"sub/{n}.bin", url=site.add(f"/{n}"), sha256=SHA) for n in ("a", "b")]
    bring(rows, tmp_path / "one")
    asked = len(site.requests)
    bring(rows, tmp_path / "two", mirror=str(tmp_path / "one"), offline=True)
    assert len(site.requests) == asked
    names = ("net.json", "net/sub/a.bin", "net/sub/b.bin")
    one, two = ([(tmp_path / w / n).read_bytes() for n in names] for w in ("one", "two"))
    assert one[1:] == two[1:]


def test_mirror_with_wrong_hash_is_a_warning_and_the_next_is_tried(site, tmp_path, caplog):
    (tmp_path / "mirror" / "net").mkdir(parents=True)
    (tmp_path / "mirror" / "net" / "net.bin").write_bytes(OTHER)
    wanted = row(url=site.add("/net.bin"), sha256=SHA)
    bring(wanted, tmp_path / "out", mirror=str(tmp_path / "mirror"))
    assert stored(tmp_path / "out") == BODY and "trying the next place" in caplog.text
    assert file_record(tmp_path / "out")["source"] == wanted.url


def test_mirror_address(site, tmp_path):
    site.add("/m/net.bin")
    bring(row(sha256=SHA), tmp_path, mirror=site.url + "/m/")
    assert [path for path, _ in site.requests] == ["/m/net/net.bin", "/m/net.bin"]
    assert file_record(tmp_path)["source"] == "mirror:net.bin"


def test_mirror_that_fails_is_not_asked_for_its_other_places(site, tmp_path):
    site.add("/m/net/net.bin", statuses=[503] * 99)
    site.add("/m/net.bin", statuses=[503] * 99)
    bring(row(url=site.add("/net.bin"), sha256=SHA), tmp_path, mirror=site.url + "/m")
    asked = [path for path, _ in site.requests]
    assert asked == ["/m/net/net.bin"] * QUICK.attempts + ["/net.bin"]


def test_dead_mirror_does_not_stand_in_the_way(site, tmp_path):
    wanted = row(url=site.add("/net.bin", drop_after=[100_000, 0, 0, 0]), sha256=SHA)
    for _ in range(2):
        with contextlib.suppress(TransientError):
            bring(wanted, tmp_path, mirror="http://127.0.0.1:9/m")
    assert stored(tmp_path) == BODY and site.sent == len(BODY)  # nor cost the part file


def test_mirror_only_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match="SEMCORR_MIRROR is not set.*put the file at"):
        bring(row(sha256=SHA), tmp_path)
    with pytest.raises(UserError, match=f"mirror does not have it.*{tmp_path}/m/net/net.bin"):
        bring(row(sha256=SHA), tmp_path, mirror=f"{tmp_path}/m")


def test_offline_says_which_file_and_how(site, tmp_path):
    url = site.add("/net.bin")
    with pytest.raises(UserError, match=f"net.bin is missing and offline.*download {url}"):
        bring(row(url=url), tmp_path, offline=True, mirror=site.url)
    assert site.requests == []
    (tmp_path / "net").mkdir(exist_ok=True)
    (tmp_path / "net" / "net.bin").write_bytes(BODY)
    bring(row(url=url), tmp_path, offline=True)  # put there by hand
    assert file_record(tmp_path)["source"] == "already in place"


def test_shipped_file_is_copied_by_the_same_function(tmp_path, monkeypatch):
    monkeypatch.setattr("semcorr.assets.sources.repository_root", lambda: tmp_path / "repo")
    shipped = row(url="repo:resources/weights/net.bin", sha256=SHA)
    with pytest.raises(UserError, match="no such file.*restore the file with git"):
        bring(shipped, tmp_path / "out", offline=True)
    source = tmp_path / "repo" / "resources" / "weights" / "net.bin"
    source.parent.mkdir(parents=True)
    source.write_bytes(BODY)
    bring(shipped, tmp_path / "out", offline=True)
    assert file_record(tmp_path / "out")["source"] == shipped.url
    bring(row(url=source.as_uri()), tmp_path / "out2", offline=True)
    assert stored(tmp_path / "out2") == BODY


def test_state_of(tmp_path, monkeypatch):
    wanted = row(url="https://example.org/net.bin", bytes=len(BODY))
    only = row()
    assert state_of([wanted], tmp_path) == "network" and state_of([only], tmp_path) == "missing"
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "net.bin").write_bytes(BODY[:-1])
    assert state_of([wanted], tmp_path, str(mirror)) == "network"  # the size is wrong
    (mirror / "net.bin").write_bytes(BODY)
    assert state_of([wanted], tmp_path, str(mirror)) == "mirror"
    monkeypatch.setenv("SEMCORR_MIRROR", str(mirror))
    assert state_of([only], tmp_path) == "mirror"
    bring(only, tmp_path, mirror=str(mirror))
    assert state_of([only], tmp_path, "") == "present"
    (tmp_path / "net" / "net.bin").write_bytes(b"")
    assert not is_present("net", tmp_path)


# ---------------------------------------------------------------------------- kills, neighbours


SLOW = """
import sys
from semcorr.assets.fetch import fetch
from semcorr.assets.table import AssetRow
row = AssetRow(key="net", kind="weights", file="net.bin", url=sys.argv[1], sha256=sys.argv[3])
fetch("net", row, sys.argv[2], progress=False)
"""


def start_slow(url, folder, sha=""):
    command = [sys.executable, "-c", SLOW, url, str(folder), sha]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def test_killed_download_resumes_with_a_range(site, tmp_path):
    url = site.add("/net.bin", seconds_per_block=0.05)
    process = start_slow(url, tmp_path)
    part = tmp_path / ".partial" / "net" / "net.bin.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 60_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    kept = part.stat().st_size
    assert 60_000 < kept < len(BODY) and not (tmp_path / "net").exists()
    site.paths["/net.bin"].seconds_per_block = 0
    time.sleep(0.1)  # the server's thread notices the dead peer
    before = site.sent
    bring(row(url=url), tmp_path)
    assert stored(tmp_path) == BODY
    assert site.ranges() == [None, f"bytes={kept}-"]
    assert site.sent - before == len(BODY) - kept


def test_second_process_waits_and_takes_the_result(site, tmp_path, caplog):
    url = site.add("/net.bin", seconds_per_block=0.03)
    process = start_slow(url, tmp_path, SHA)
    wait_for(lambda: site.requests)
    bring(row(url=url, sha256=SHA), tmp_path)
    assert process.wait(10) == 0
    process.stderr.close()
    assert f"written by process {process.pid}" in caplog.text
    assert len(site.requests) == 1 and stored(tmp_path) == BODY


# ---------------------------------------------------------------------------- table and stage


def test_shipped_table_is_complete():
    table = read_table()
    for size in "sbl":
        assert {f"dinov2_vit{size}14", f"dinov2_vit{size}14_reg"} <= set(table)
    for key in ("trellis_ss_enc", "trellis_ss_dec", "trellis_ss_flow_img"):
        assert [r.file.rsplit(".")[-1] for r in table[key]] == ["json", "safetensors"]
        assert all(
            r.repo == "microsoft/TRELLIS-image-large" and r.licence == "MIT" for r in table[key]
        )
    rows = [r for rows in table.values() for r in rows]
    assert all(r.size_cap for r in rows if not r.shipped), "every download has a declared cap"
    assert all(not r.sha256 for r in rows if r.url.startswith("http") or r.repo)
    assert rows_of("mobilenetv2_imagenet", table)[0].mirror_only
    assert asset_keys() == list(table)


def test_unknown_key_lists_the_known(tmp_path):
    with pytest.raises(UserError, match="unknown asset 'nope'.*dinov2_vits14"):
        rows_of("nope", read_table())


GOOD = {
    "key": "net",
    "kind": "weights",
    "file": "net.bin",
    "url": "https://example.org/net.bin",
    "licence": "MIT",
    "non_commercial": "no",
    "max_bytes": "10",
}


def write_table(path, *records, columns=COLUMNS):
    lines = [",".join(columns)]
    lines += [",".join(record.get(name, "") for name in columns) for record in records]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_table_round_trip_through_params(tmp_path):
    rows = read_table(write_table(tmp_path / "t.csv", GOOD))["net"]
    params = json.loads(json.dumps(rows[0].as_params()))
    assert AssetRow(**params) == rows[0] and rows[0].size_cap == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "Net"}, "key 'Net'"),
        ({"key": "../x"}, "key '../x'"),
        ({"kind": "thing"}, "kind 'thing'"),
        ({"file": "../x"}, "relative path"),
        ({"file": "/x"}, "relative path"),
        ({"file": ""}, "relative path"),
        ({"url": "ftp://x/y"}, "url 'ftp://x/y'"),
        ({"url": "repo:../../etc/passwd"}, "leaves the repository"),
        ({"repo": "a/b", "revision": "main"}, "either url or repo"),
        ({"url": "", "repo": "a/b"}, "go together"),
        ({"url": "", "repo": "a", "revision": "main"}, "owner/name"),
        ({"sha256": "abc"}, "64 hexadecimal"),
        ({"bytes": "-1"}, "positive whole number"),
        ({"max_bytes": "many"}, "positive whole number"),
        ({"non_commercial": "maybe"}, "not yes or no"),
        ({"licence": ""}, "licence is empty"),
        ({"description": "a,b"}, "expected 12 columns"),
    ],
)
def test_malformed_table_names_file_and_line(tmp_path, change, message):
    path = write_table(tmp_path / "t.csv", {**GOOD, "key": "first"}, {**GOOD, **change})
    with pytest.raises(UserError, match=f"t.csv:3: .*{message}"):
        read_table(path)


def test_table_with_other_faults(tmp_path):
    with pytest.raises(UserError, match="appears twice"):
        read_table(write_table(tmp_path / "t.csv", GOOD, GOOD))
    with pytest.raises(UserError, match="columns are"):
        read_table(write_table(tmp_path / "u.csv", GOOD, columns=COLUMNS[1:]))
    with pytest.raises(UserError, match="cannot read the asset table"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read the asset table"):
        read_table(tmp_path / "b.csv")


def test_command_line(site, tmp_path, capsys):
    table = write_table(
        tmp_path / "t.csv", {**GOOD, "url": site.add("/net.bin"), "max_bytes": "400000"}
    )
    out = tmp_path / "out" / "net.json"
    arguments = ["net", "--table", str(table), "--output", str(out), "--quiet"]
    assert fetch_asset.command_line([*arguments, "--offline"]) == 1
    assert "offline is set" in capsys.readouterr().err
    assert fetch_asset.command_line(arguments) == 0
    assert capsys.readouterr().out == f"{out}\n" and stored(out.parent) == BODY
    wrong = ["net", "--table", str(table), "--output", str(tmp_path / "x.json")]
    assert fetch_asset.command_line(wrong) == 1
    assert "must be named net.json" in capsys.readouterr().err


def test_stage_takes_rows_from_the_rule(tmp_path, monkeypatch):
    from semcorr.stages.running.job import Runtime, StageJob

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "net.bin").write_bytes(BODY)
    monkeypatch.setenv("SEMCORR_MIRROR", str(mirror))
    out = tmp_path / "results" / "assets" / "net.json"
    job = StageJob(
        {}, {"files": out.parent / "net", "manifest": out}, {"rows": [row(sha256=SHA).as_params()]}
    )
    fetch_asset.main(replace(job, runtime=Runtime(offline=True)))
    assert json.loads(out.read_text())["sha256"] == SHA


def test_progress_bar_is_shown_and_silent_on_request(site, tmp_path, capfd):
    url = site.add("/net.bin")
    fetch("net", row(url=url), tmp_path / "a", timeouts=QUICK)
    assert "net" in capfd.readouterr().err
    bring(row(url=url), tmp_path / "b")
    assert capfd.readouterr().err == ""


def test_damaged_records_do_not_count(site, tmp_path):
    bring(row(url=site.add("/net.bin")), tmp_path)
    for text in ("", "[]", "{}", '{"files": 3}'):
        (tmp_path / "net.json").write_text(text)
        assert read_record("net", tmp_path) is None and not is_present("net", tmp_path)
    (tmp_path / ".pins" / "net.json").write_text("{")
    with pytest.raises(UserError, match="damaged record.*delete it"):
        bring(row(url=site.url + "/net.bin"), tmp_path)


def test_unreadable_mirror_file_is_skipped(site, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    os.mkfifo(mirror / "net.bin")  # reading it would hang for ever
    bring(row(url=site.add("/net.bin")), tmp_path / "out", mirror=str(mirror))
    assert stored(tmp_path / "out") == BODY
