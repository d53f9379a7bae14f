"""One self-contained HTML page in which a pair of shapes can be turned and asked for its matches.

Everything is inside the file: the viewer (one script, no module), geometry and colours as base64.
The page works over file://, forbids every network access by its content security policy, and holds
no string of the user outside HTML escaping or an escaped JSON element.
"""

import base64
import hashlib
import html
import json
import re
from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from semcorr.geometry.frames import used_box
from semcorr.report.page_modes import colour_modes
from semcorr.report.page_types import EmbeddedArrays, Keypoints, PageMeta, PageShape

__all__ = ["Keypoints", "PageMeta", "PageShape", "page_html", "write_page"]


def write_page(
    path: Path,
    source: PageShape,
    target: PageShape,
    target_to_source: Int[np.ndarray, " t"],
    confidence: Float[np.ndarray, " t"],
    meta: PageMeta,
) -> None:
    """Write the page of a pair; see `page_html` for the arguments."""
    text = page_html(source, target, target_to_source, confidence, meta)
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def page_html(
    source: PageShape,
    target: PageShape,
    target_to_source: Int[np.ndarray, " t"],
    confidence: Float[np.ndarray, " t"],
    meta: PageMeta,
) -> str:
    """The page of a pair as text; equal arguments give equal text.

    Args:
        source: the shape with v vertices whose colours are carried.
        target: the shape with t vertices.
        target_to_source: (t,) source vertex of each target vertex, -1 = none.
        confidence: (t,) 0..1, NaN = unknown.
        meta: texts.
    """
    _check(source, target, target_to_source, confidence)
    target_to_source = np.asarray(target_to_source, dtype=np.int32)
    confidence = np.asarray(confidence, dtype=np.float32)
    arrays = EmbeddedArrays()
    data = {
        "source": _shape(source, _keypoint_colours(source, target), arrays),
        "target": _shape(target, _keypoint_colours(source, target), arrays),
        "targetToSource": arrays.add(target_to_source, "i4"),
        "confidence": arrays.add(confidence, "f4"),
        "modes": colour_modes(source, target, target_to_source, confidence, meta, arrays),
    }
    style, script = _asset("viewer.css"), _asset("viewer.js")
    matched = np.count_nonzero(target_to_source >= 0)
    facts = [("Method", meta.method), *meta.facts]
    facts.append(("Matched", f"{100.0 * matched / len(target_to_source):.1f} % of target vertices"))
    return _fill(
        _asset("page.html"),
        {
            "title": html.escape(meta.title),
            "facts": "".join(
                f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in facts
            ),
            "warnings": "".join(
                f'<p class="warning">{html.escape(text)}</p>\n' for text in meta.warnings
            ),
            "source_name": html.escape(source.name),
            "target_name": html.escape(target.name),
            "source_count": _count(source),
            "target_count": _count(target),
            "style": style,
            "style_hash": _csp_hash(style),
            "script": script,
            "script_hash": _csp_hash(script),
            "data": _json_element(data),
            "arrays": "\n".join(arrays.elements),
        },
    )


def _check(source, target, target_to_source, confidence):
    for role, shape in (("source", source), ("target", target)):
        faces = np.asarray(shape.faces)
        if len(faces) == 0 or faces.min() < 0 or faces.max() >= len(shape.vertices):
            raise ValueError(f"{role}: expected faces over {len(shape.vertices)} vertices")
        if not np.isfinite(shape.vertices).all():
            raise ValueError(f"{role}: NaN or infinite vertices")
        for name, rows in (("face_labels", len(faces)), ("vertex_colours", len(shape.vertices))):
            array = getattr(shape, name)
            if array is not None and len(array) != rows:
                raise ValueError(f"{role}: {name}: expected {rows} rows, got {len(array)}")
    count = len(target.vertices)
    for name, array in (("target_to_source", target_to_source), ("confidence", confidence)):
        if np.shape(array) != (count,):
            raise ValueError(f"{name}: expected ({count},), got {np.shape(array)}")
    if np.max(target_to_source) >= len(source.vertices) or np.min(target_to_source) < -1:
        raise ValueError(f"target_to_source: expected -1..{len(source.vertices) - 1}")


def _unit_frame(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move `points` so that the box is centred and its longest side is 1."""
    low, high = box
    size = (high - low).max() or 1.0
    return (points - (low + high) / 2.0) / size


def _shape(shape: PageShape, hues: dict[str, str], arrays: EmbeddedArrays) -> dict:
    vertices = np.asarray(shape.vertices, dtype=np.float64)
    box = used_box(vertices, shape.faces)
    record = {
        "positions": arrays.add(_unit_frame(box, vertices), "f4"),
        "faces": arrays.add(shape.faces, "u4"),
        "keypoints": None,
    }
    if shape.keypoints is not None:
        points = _unit_frame(box, np.asarray(shape.keypoints.points, dtype=np.float64))
        kept = np.flatnonzero(np.isfinite(points).all(axis=1))
        names = [shape.keypoints.names[i] for i in kept]
        record["keypoints"] = {
            "names": names,
            "points": arrays.add(points[kept], "f4"),
            "colours": [hues[name] for name in names],
        }
    return record


def _keypoint_colours(source: PageShape, target: PageShape) -> dict[str, str]:
    """A colour for each keypoint name of either shape, spread over the hues."""
    sets = [shape.keypoints.names for shape in (source, target) if shape.keypoints is not None]
    names = list(dict.fromkeys(name for names in sets for name in names))
    # golden angle: neighbours in the list are far apart in hue
    return {name: f"hsl({round(i * 137.508) % 360}, 78%, 52%)" for i, name in enumerate(names)}


def _count(shape: PageShape) -> str:
    return f"{len(shape.vertices):,} vertices, {len(shape.faces):,} faces".replace(",", "\u2009")


def _asset(name: str) -> str:
    return (resources.files("semcorr.report") / "viewer" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _json_element(data: dict) -> str:
    """JSON that cannot end its script element, whatever the strings hold."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _fill(template: str, values: dict[str, str]) -> str:
    """Replace each {{name}} once; what is filled in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], template)
