"""A large data set without objects: the real Snakefile over stages that write tiny stores at once."""

import hashlib
from pathlib import Path

import small

# Scripts that are replaced -> function of stub_stages
STUBBED = ("fetch_asset", "raw", "meshes", "truth", "render", "features", "match")
SCRIPT = """import sys
sys.path.insert(0, {folder!r})
from semcorr.stages.running.job import run_rule
from stub_stages import {name} as main
run_rule(snakemake, main)
"""
COLUMNS = ("id", "path", "category", "licence", "author", "title", "page")


def install(repository: Path) -> None:
    """Replace the scripts of the long stages in a copy of the repository."""
    for name in STUBBED:
        path = repository / f"workflow/scripts/{name}.py"
        assert path.exists(), path
        path.write_text(SCRIPT.format(folder=str(Path(__file__).parent), name=name))


def uid_of(number: int) -> str:
    """Return an id of the form that Objaverse has."""
    return hashlib.md5(str(number).encode()).hexdigest()


def row_of(number: int, licence: str = "by") -> str:
    """Return a line of an object list with all columns that the command writes."""
    uid = uid_of(number)
    page = f"https://sketchfab.com/3d-models/{uid}"
    path = f"glbs/000-{number % 160:03d}/{uid}.glb"
    return f"{uid},{path},chair,{licence},author {number % 997},object {number},{page}\n"


def write_list(path: Path, numbers, licences=None) -> None:
    """Write an object list; `licences` maps numbers to another licence."""
    rows = (row_of(number, (licences or {}).get(number, "by")) for number in numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",".join(COLUMNS) + "\n" + "".join(rows))


def chunk_of(number: int, chunks: int) -> int:
    """Return the chunk of an object, as the design says: by the hash of its id alone."""
    return int(hashlib.sha256(uid_of(number).encode()).hexdigest(), 16) % chunks


CHUNKS = 2
SOURCE = 0
# of objects by default: a few in each chunk
NUMBERS = tuple(range(12))
TARGET = "results/coseg/carried.json"


def config(**changes) -> dict:
    """Return downloads, features and maps of one source to all objects; `changes` as in small.config."""
    found = {
        "device": "cpu",
        "offline": True,
        "datasets": {
            "many": {"kind": "objaverse", "list": "many.csv", "chunks": CHUNKS, "truth": "mine"}
        },
        "renders": {
            "views": {"rig": "fibonacci", "views": 2, "resolution": 32, "backend": "raycast"}
        },
        "features": {
            "lifted": {
                "kind": "lifted",
                "render": "views",
                "backbone": "tiny_vit",
                "weights": "dinov2_vits14",
                "size": 32,
                "layers": {"norm": 1.0},
            }
        },
        "methods": {
            "spatial": {"matcher": "spatial"},
            "guided": {"matcher": "guided", "feature": "lifted"},
        },
        "coseg": {
            "carried": {
                "category": "chair",
                "poses": {"aligned": "many"},
                "sources": [uid_of(SOURCE)],
                "methods": ["spatial", "guided"],
            }
        },
    }
    for path, value in changes.items():
        small.set_at(found, path.split("__"), value)
    return found
