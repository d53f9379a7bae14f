"""HNSR voxelisation, cameras and normalisation: inputs of a case -> the stages' functions."""

import re
from pathlib import Path

import numpy as np
from adapters.case_files import only_number, read_case

from semcorr.cameras import (
    Cameras,
    hammersley_yaw_pitch,
    make_cameras,
    opengl_from_opencv,
    positions_on_sphere,
    rigid_inverse,
)
from semcorr.datasets.folder import read_item_mesh
from semcorr.geometry.frames import used_vertices, world_from_file
from semcorr.geometry.reader import read_mesh, read_object_boxes
from semcorr.geometry.transforms import apply
from semcorr.geometry.voxels import voxelise
from semcorr.matching.cells import centres, occupied_cells
from semcorr.rendering import raycast
from semcorr.rendering.interface import RenderOptions

SAMPLES = 16  # rays a pixel: the rule of the silhouettes asks for 4 x 4


def case_voxelise(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    grids = {int(m.group(1)) for n in case["expected"] if (m := re.search(r"_cells(\d+)$", n))}
    finest = max(grids)
    found = {}
    for name in (n.removesuffix("_vertices") for n in inputs if n.endswith("_vertices")):
        cells = voxelise(inputs[f"{name}_vertices"], inputs[f"{name}_faces"], finest)
        found[f"{name}_centres"] = centres(cells, finest)
        for grid in grids:
            found[f"{name}_cells{grid}"] = occupied_cells(cells, finest, finest // grid)
        # as voxelised: sorted already
        found[f"{name}_cells{finest}"] = cells
    return found


def _rig(inputs: dict[str, np.ndarray], views: int) -> Cameras:
    return make_cameras(
        rig="hammersley",
        views=views,
        radius=float(inputs["radius"]),
        fov_deg=float(np.rad2deg(inputs["fov_rad"])),
        resolution=int(inputs["mask_resolution"]),
        offset=tuple(inputs[f"offset_n{views}"]),
    )


def _placed(prefix: str, suffix: str, matrix: np.ndarray, vertices) -> dict[str, np.ndarray]:
    """Scale and offset of p' = scale R p + offset, read off the matrix, and the world vertices."""
    return {
        f"{prefix}_scale{suffix}": np.linalg.norm(matrix[:3, 0]),
        f"{prefix}_offset{suffix}": matrix[:3, 3],
        f"{prefix}_world_vertices{suffix}": vertices,
    }


def case_cameras_and_normalisation(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = read_case(case_dir)
    views = only_number(case["expected"], r"camera_to_world_n(\d+)")
    rig = _rig(inputs, views)
    directions = {
        int(n): hammersley_yaw_pitch(int(n), tuple(inputs[f"offset_n{n}"]))
        for n in inputs["num_views"]
    }
    found = {f"yaw_pitch_n{n}": yaw_pitch for n, yaw_pitch in directions.items()}
    found[f"camera_positions_n{views}"] = positions_on_sphere(directions[views], inputs["radius"])
    found[f"camera_to_world_n{views}"] = opengl_from_opencv(rigid_inverse(rig.cam_from_world))
    # the published cameras say in millimetres of a sensor what ours say in pixels
    found["lens_mm"] = rig.intrinsics[0, 0, 0] * float(inputs["sensor_mm"]) / rig.width

    meshes = {}
    for name, suffix in (("obj", ""), ("glb", "_corrected")):
        file = f"model.{name}"
        meshes[name], _ = read_item_mesh(case_dir, {"file": file})
        matrix = world_from_file(used_vertices(read_mesh(case_dir / file)))
        found |= _placed(name, suffix, matrix, meshes[name].vertices)
    file = read_mesh(case_dir / "model.glb")
    boxes = read_object_boxes(case_dir / "model.glb")
    matrix = world_from_file(used_vertices(file), legacy_boxes=boxes)
    found |= _placed("glb", "_original", matrix, apply(matrix, file.vertices))

    with raycast.open_renderer(RenderOptions(samples=SAMPLES)) as renderer:
        found["alpha_masks"] = renderer.render(meshes["obj"], rig).rgba[..., 3]
    return found
