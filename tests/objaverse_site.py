"""A synthetic Objaverse on loopback: the hub's addresses and headers, annotation files, objects, troubles.

As on the hub, `/datasets/allenai/objaverse/resolve/main/{file}` names a file's sha256 and commit and sends
on to another address, which has the bytes and understands ranges.
"""

import contextlib
import gzip
import hashlib
import http.server
import json
import struct
import threading
import time
from dataclasses import dataclass, field

import numpy as np

PREFIX = "/datasets/allenai/objaverse/resolve/main/"
COMMIT = "c0" * 20
BLOCK = 1 << 12
CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], "<f4")
QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)
TRIANGLES = np.concatenate([QUADS[:, [0, 1, 2]], QUADS[:, [0, 2, 3]]]).astype("<u4")


def glb(scale=(1.0, 1.0, 1.0), padding=0):
    """Return a box as GLB; `padding` bytes make the file longer."""
    positions = (CUBE * np.asarray(scale, "<f4")).tobytes()
    data = positions + TRIANGLES.tobytes() + bytes(padding + -padding % 4)
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(positions)},
            {"buffer": 0, "byteOffset": len(positions), "byteLength": TRIANGLES.nbytes},
        ],
        "buffers": [{"byteLength": len(data)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text
    body += struct.pack("<II", len(data), 0x004E4942) + data
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


def uid_of(number):
    """Return an id of the form that Objaverse has."""
    return hashlib.md5(str(number).encode()).hexdigest()


@dataclass
class Trouble:
    """What goes wrong with one file; lists are used up request by request."""

    statuses: list = field(default_factory=list)  # answered first
    forever: int | None = None  # a status that never ends
    bodies: list = field(default_factory=list)  # sent instead; the last one stays
    drop_after: list = field(default_factory=list)  # bytes, then the connection is cut
    seconds_per_block: float = 0.0
    silent: float = 0.0  # seconds before the first byte
    told: str | None = None  # sha256 that the hub tells instead of the true one; empty: none


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site, path = self.server.site, self.path.split("?")[0]
        site.requests.append((path, self.headers.get("Range")))
        if path.startswith("/cdn/"):
            return self.send(site, path.removeprefix("/cdn/"))
        file = path.removeprefix(PREFIX)
        trouble = site.troubles.get(file, Trouble())
        status = trouble.statuses.pop(0) if trouble.statuses else trouble.forever
        known = path in site.elsewhere or (path.startswith(PREFIX) and file in site.files)
        if status is None and not known:
            status = 404
        if status is not None:
            return self.empty(status, {"Retry-After": "0"})
        time.sleep(trouble.silent)
        if path in site.elsewhere:
            return self.send(site, path)
        told = (
            hashlib.sha256(site.files[file]).hexdigest() if trouble.told is None else trouble.told
        )
        headers = {"X-Repo-Commit": COMMIT, "Location": f"/cdn/{file}"}
        self.empty(302, headers | ({"X-Linked-Etag": f'"{told}"'} if told else {}))

    def empty(self, status, headers):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, site, file):
        trouble = site.troubles.get(file, Trouble())
        body = site.elsewhere[file] if file in site.elsewhere else site.files[file]
        if trouble.bodies:
            body = trouble.bodies.pop(0) if len(trouble.bodies) > 1 else trouble.bodies[0]
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        wanted = self.headers.get("Range") if self.headers.get("If-Range") == etag else None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        end = start + trouble.drop_after.pop(0) if trouble.drop_after else len(body)
        with contextlib.suppress(OSError):
            for at in range(start, min(end, len(body)), BLOCK):
                self.wfile.write(body[at : min(at + BLOCK, end)])
                time.sleep(trouble.seconds_per_block)


class Site:
    """The server and what it holds.

    Attributes:
        files: path below PREFIX -> bytes.
        elsewhere: other path as it is asked for -> bytes, which come at once, without a hub.
        troubles: path -> what goes wrong.
        requests: (path, Range) of every request.
    """

    def __init__(self):
        self.files, self.troubles, self.requests = {}, {}, []
        self.elsewhere = {}
        self.lvis, self.paths, self.metadata = {}, {}, {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.site = self
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return self.endpoint + PREFIX.rstrip("/")

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, number, body=None, category="chair", licence="by", folder="000-000", **trouble):
        """Add an object; `body=b""` is one that the annotations know and the server does not have."""
        uid = uid_of(number)
        path = f"glbs/{folder}/{uid}.glb"
        if body != b"":
            self.files[path] = glb((1 + number / 10, 1.0, 0.5)) if body is None else body
        self.paths[uid] = path
        self.lvis.setdefault(category, []).append(uid)
        self.metadata.setdefault(folder, {})[uid] = {
            "uid": uid,
            "name": f"Object {number}",
            "license": licence,
            "user": {"username": f"user{number}", "displayName": f"User {number}"},
            "viewerUrl": f"https://sketchfab.com/3d-models/{uid}",
        }
        if trouble:
            self.troubles[path] = Trouble(**trouble)
        return uid, path

    def annotate(self):
        """Write the annotation files."""
        self.put("lvis-annotations.json.gz", self.lvis)
        self.put("object-paths.json.gz", self.paths)
        for folder, known in self.metadata.items():
            self.put(f"metadata/{folder}.json.gz", known)

    def put(self, file, value):
        self.files[file] = gzip.compress(json.dumps(value).encode(), mtime=0)

    def asked(self, path):
        """Return the ranges with which the bytes of a file were asked for."""
        return [span for name, span in self.requests if name == f"/cdn/{path}"]
