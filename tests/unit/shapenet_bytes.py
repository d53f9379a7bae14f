"""A miniature of ShapeNetCore v2 and ShapeNet-Part, written as text in the layout of the releases.

The aeroplane has one wing, on its right, so that a mirrored placement is wrong. Files of v2 have the up
axis +Y and the front -Z, hence the right at +X; the points lie as in v1, front +X: a point (x, y, z) of
the mesh is (-z, y, x) there, and (-z, y, -x) where v1 is mirrored.
"""

from pathlib import Path

SYNSET, CATEGORY = "02691156", "airplane"
IDS = ("1a04e3eab45ca15dd86060f189eb133", "7182efccab0d3553c27f2d9f006d69eb")

OBJ = """# ShapeNet, exported by assimp
mtllib model_normalized.mtl
g mesh1
v -0.05 -0.05 -0.4
v 0.05 -0.05 -0.4
v 0.05 0.05 -0.4
v -0.05 0.05 -0.4
v -0.05 -0.05 0.4
v 0.05 -0.05 0.4
v 0.05 0.05 0.4
v -0.05 0.05 0.4
v 0.05 -0.01 -0.1
v 0.3 -0.01 -0.1
v 0.3 0.01 -0.1
v 0.05 0.01 -0.1
v 0.05 -0.01 0.1
v 0.3 -0.01 0.1
v 0.3 0.01 0.1
v 0.05 0.01 0.1
vt 0 0
vt 1 0
vt 1 1
usemtl paint
f 4/1 3/2 2/3 1/1
f 5/1 6/2 7/3 8/1
f 1/1 2/2 6/3 5/1
f 2/1 3/2 7/3 6/1
f 3/1 4/2 8/3 7/1
f 4/1 1/2 5/3 8/1
f 12/1 11/2 10/3 9/1
f 13/1 14/2 15/3 16/1
f 9/1 10/2 14/3 13/1
f 10/1 11/2 15/3 14/1
f 11/1 12/2 16/3 15/1
"""
MTL = "newmtl paint\nKd 0.2 0.4 0.6\nmap_Kd ../images/texture0.png\n"
# 1 x 1 pixel, RGB 200 120 40
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c494441"
    "54789c633851a1010003740169cbfad0d70000000049454e44ae426082"
)
# part of every triangle of OBJ: 6 + 5 quadrilaterals
BODY, WING = 0, 1
FACE_PARTS = [BODY] * 12 + [WING] * 10

# (x, y, z, nx, ny, nz) of the mesh: four edges of the body, the upper and the lower side of the wing
SIDES = [(x, y) for x in (-0.05, 0.05) for y in (-0.05, 0.05)]
BODY_POINTS = [(x, y, n / 20 - 0.4, 0, 1, 0) for x, y in SIDES for n in range(17)]
WING_POINTS = [
    (0.1 + n / 20, y, m / 20 - 0.1, 0, 1, 0)
    for y in (-0.01, 0.01)
    for n in range(5)
    for m in range(5)
]


def points_text(mirrored: bool = False, labels: tuple[float, float] = (0.0, 1.0)) -> str:
    """Return x y z nx ny nz label of every point, as ShapeNet-Part writes them."""
    side = -1 if mirrored else 1
    rows = [(p, labels[0]) for p in BODY_POINTS] + [(p, labels[1]) for p in WING_POINTS]
    return "".join(
        f"{-z:.6f} {y:.6f} {side * x:.6f} {-nz:.6f} {ny:.6f} {side * nx:.6f} {label:.6f}\n"
        for (x, y, z, nx, ny, nz), label in rows
    )


def write_model(root: Path, name: str, doubled: bool = False, obj: str = OBJ) -> Path:
    """Write one model; return its folder."""
    folder = root.joinpath(*[SYNSET] * (2 if doubled else 1), name)
    (folder / "models").mkdir(parents=True)
    (folder / "images").mkdir()
    (folder / "models/model_normalized.obj").write_text(obj)
    (folder / "models/model_normalized.mtl").write_text(MTL)
    (folder / "images/texture0.png").write_bytes(PNG)
    return folder


def write_points(root: Path, name: str, text: str | None = None) -> Path:
    """Write the labelled points of one model; return the file."""
    folder = root / f"{SYNSET}_airplane/points"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.txt"
    path.write_text(points_text() if text is None else text)
    return path


def write_set(folder: Path) -> dict:
    """Write both models with points; return the entry of the data set."""
    for name in IDS:
        write_model(folder / "ShapeNetCore.v2", name)
        write_points(folder / "PartNet", name)
    return {
        "kind": "shapenet",
        "root": str(folder / "ShapeNetCore.v2"),
        "points": str(folder / "PartNet"),
        "synset": SYNSET,
        "category": CATEGORY,
        "labels": {0: "body", 1: "wing"},
    }
