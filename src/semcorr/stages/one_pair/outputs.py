"""What `pair` leaves behind: maps, coloured meshes, carried annotations, a picture and a page."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from semcorr.geometry.frames import used_box
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import sites_of
from semcorr.matching.result import SiteMatch
from semcorr.report.colours import carried_colours, position_colours
from semcorr.report.exports import write_mesh
from semcorr.report.page import write_page
from semcorr.report.page_types import Keypoints, PageMeta, PageShape
from semcorr.report.pair_picture import PairText, pair_picture
from semcorr.report.png import png_bytes
from semcorr.stages.matched.pose_pairs import site_labels
from semcorr.stages.one_pair.annotations import Annotations
from semcorr.stages.one_pair.method import Choice
from semcorr.stages.one_pair.request import PAGE, PairRequest
from semcorr.store.files import write_bytes, write_json
from semcorr.store.folders import replaced_folder
from semcorr.store.items import Arrays
from semcorr.transfer.keypoints import transfer_keypoints
from semcorr.transfer.labels import transfer_labels


@dataclass(frozen=True)
class PairResult:
    """A matched pair; `files` in the files' frames, `worlds` in ours (the same vertices)."""

    request: PairRequest
    choice: Choice
    files: dict[str, Mesh]
    worlds: dict[str, Mesh]
    arrays: dict[str, Arrays]
    annotations: Annotations
    match: SiteMatch

    def to_vertices(self) -> Int[np.ndarray, " t"]:
        """Return the source vertex of every target vertex, -1 = none.

        A match on a surface sample becomes the corner of its face with the largest weight.
        """
        source = sites_of(self.arrays["source"])
        corner = source.sample_barycentric.argmax(axis=1)
        sample_vertex = source.faces[source.sample_face, corner]
        vertex_of_site = np.concatenate([np.arange(source.num_vertices), sample_vertex, [-1]])
        target_count = len(self.files["target"].vertices)
        return vertex_of_site[self.match.target_to_source[:target_count]].astype(np.int32)


def write_outputs(result: PairResult, folder: Path) -> Path:
    """Replace `folder` by everything of one pair and return the path of its page.

    What a run before left there is gone afterwards; if anything fails, it is untouched.
    """
    with replaced_folder(folder) as new:
        _write_all(result, new)
    return folder / PAGE


def _write_all(result: PairResult, folder: Path) -> None:
    vertex_map = result.to_vertices()
    confidence = result.match.confidence[: len(vertex_map)].astype(np.float32)
    _write_npy(folder / "target_to_source.npy", vertex_map)
    _write_npy(folder / "confidence.npy", confidence)
    _write_meshes(result, vertex_map, folder)
    labels = _carry_labels(result, folder)
    keypoints = _carry_keypoints(result, folder)
    warnings = _warnings(result, vertex_map)
    write_json(folder / "scores.json", _scores(result, vertex_map, confidence, warnings))
    _write_picture(result, vertex_map, confidence, folder)
    _write_page(result, vertex_map, confidence, labels, keypoints, warnings, folder / PAGE)


def _write_npy(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def _write_meshes(result: PairResult, vertex_map: Int[np.ndarray, " t"], folder: Path) -> None:
    source = result.worlds["source"]
    own = position_colours(source.vertices, used_box(source.vertices, source.faces))
    colours = {"source": own, "target": carried_colours(own, vertex_map)}
    for side, file in result.files.items():
        for suffix in ("ply", "glb"):
            write_mesh(folder / f"{side}.{suffix}", file.vertices, file.faces, colours[side])


def _carry_labels(result: PairResult, folder: Path):
    """Return (names, source face labels, target face labels), or None without labels.

    A target vertex has the label of the source site that it is matched to, as in the scores.
    """
    names, face_labels = result.annotations.label_names, result.annotations.face_labels
    if face_labels is None:
        return None
    target = result.worlds["target"]
    labels = site_labels(sites_of(result.arrays["source"]), face_labels)
    carried = transfer_labels(labels, result.match.target_to_source[: len(target.vertices)])
    write_json(folder / "target_labels.json", {"names": list(names), "vertices": carried.tolist()})
    corners = carried[target.faces]
    agree = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], corners[:, 0])
    return names, face_labels, agree


def _carry_keypoints(result: PairResult, folder: Path):
    """Return (names, source points, target points) in the world frame, or None without keypoints."""
    names, points = result.annotations.keypoint_names, result.annotations.keypoints
    if points is None:
        return None
    sites = {side: sites_of(arrays).positions for side, arrays in result.arrays.items()}
    carried = transfer_keypoints(
        points, sites["source"], sites["target"], result.match.source_to_target
    )
    file_from_world = result.arrays["target"]["file_from_world"]
    in_file = carried @ file_from_world[:3, :3].T + file_from_world[:3, 3]
    rows = [None if np.isnan(p).any() else [float(x) for x in p] for p in in_file]
    write_json(folder / "target_keypoints.json", {"names": list(names), "points": rows})
    return names, points, carried


def _warnings(result: PairResult, vertex_map: Int[np.ndarray, " t"]) -> list[str]:
    found = []
    if any(name.endswith("_tiny") for name in result.choice.weights):
        found.append(
            "Features come from tiny weights trained on procedural shapes; expect little on others."
            " Fetch DINOv2 (config: offline: false) for real use."
        )
    coarse = [s for s, mesh in result.files.items() if len(mesh.vertices) < 500]
    if coarse:
        found.append(
            f"The {' and '.join(coarse)} {'mesh has' if len(coarse) == 1 else 'meshes have'} few"
            " vertices: the map is per vertex, subdivide for more."
        )
    missing = float((vertex_map < 0).mean())
    if missing > 0.01:
        found.append(f"{missing:.0%} of the target's vertices have no match.")
    return found


def _scores(result: PairResult, vertex_map, confidence, warnings) -> dict:
    return {
        "schema": 1,
        "method": result.choice.name,
        "options": result.choice.entry.model_dump(mode="json"),
        "reasons": list(result.choice.reasons),
        "warnings": warnings,
        "source": {
            "file": result.request.source.name,
            "vertices": len(result.files["source"].vertices),
        },
        "target": {
            "file": result.request.target.name,
            "vertices": len(result.files["target"].vertices),
        },
        "matched": round(float((vertex_map >= 0).mean()), 6),
        "mean_confidence": round(float(np.nanmean(confidence)), 6),
        "search": json.loads(json.dumps(result.match.info)),
    }


def _write_picture(result: PairResult, vertex_map, confidence, folder: Path) -> None:
    text = PairText(
        title="Correspondence",
        subtitle=f"method {result.choice.name}; equal colours are matched points",
        source_name=result.request.source.name,
        target_name=result.request.target.name,
    )
    picture = pair_picture(
        text, result.worlds["source"], result.worlds["target"], vertex_map, confidence
    )
    write_bytes(folder / "picture.png", png_bytes(picture))


def _write_page(result, vertex_map, confidence, labels, keypoints, warnings, page: Path) -> None:
    shapes = {}
    for number, side in enumerate(("source", "target")):
        world = result.worlds[side]
        shapes[side] = PageShape(
            name=getattr(result.request, side).name,
            vertices=world.vertices,
            faces=world.faces,
            face_labels=labels[1 + number] if labels else None,
            vertex_colours=None if world.vertex_colors is None else world.vertex_colors[:, :3],
            keypoints=_page_keypoints(keypoints, number),
        )
    meta = PageMeta(
        title=f"{result.request.source.name} and {result.request.target.name}",
        method=result.choice.name,
        part_names=labels[0] if labels else (),
        parts_note="Part labels of the source, carried to the target",
        warnings=tuple(warnings),
    )
    write_page(page, shapes["source"], shapes["target"], vertex_map, confidence, meta)


def _page_keypoints(keypoints, number: int) -> Keypoints | None:
    if keypoints is None:
        return None
    points: Float[np.ndarray, "k 3"] = keypoints[1 + number]
    return Keypoints(tuple(keypoints[0]), points)
