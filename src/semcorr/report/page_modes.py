"""The ways in which the page of a pair can be coloured: colours of both shapes and their legend."""

import numpy as np
from jaxtyping import Float, Int

from semcorr.geometry.frames import used_box
from semcorr.report import colours as paint
from semcorr.report.page_types import EmbeddedArrays, PageMeta, PageShape


def colour_modes(
    source: PageShape,
    target: PageShape,
    target_to_source: Int[np.ndarray, " t"],
    confidence: Float[np.ndarray, " t"],
    meta: PageMeta,
    arrays: EmbeddedArrays,
) -> list[dict]:
    """All modes that the given data allow, the first is shown first; arguments as `page_html`."""
    modes = [_correspondence_mode(source, target, target_to_source, arrays)]
    modes.append(_confidence_mode(source, target_to_source, confidence, arrays))
    if source.face_labels is not None or target.face_labels is not None:
        modes.append(_parts_mode(source, target, meta, arrays))
    if source.vertex_colours is not None or target.vertex_colours is not None:
        modes.append(_original_mode(source, target, arrays))
    return modes


def _mode(key, label, sides, legend, arrays, per_face=False) -> dict:
    record = {"key": key, "label": label, "legend": {"bars": [], "swatches": [], **legend}}
    for side, colours in zip(("source", "target"), sides, strict=True):
        record[side] = {"colours": arrays.add(colours[:, :3], "u1"), "perFace": per_face}
    return record


def _swatch(colour, name: str) -> dict[str, str]:
    return {"colour": paint.hex_colour(colour), "name": name}


def _correspondence_mode(source, target, target_to_source, arrays) -> dict:
    vertices = np.asarray(source.vertices, dtype=np.float64)
    own = paint.position_colours(vertices, used_box(vertices, source.faces))
    carried = paint.carried_colours(own, target_to_source)
    legend = {"bars": _axis_bars(), "note": "Points that correspond have the same colour."}
    if (target_to_source < 0).any():
        legend["swatches"] = [_swatch(paint.NO_MATCH, "no match")]
    return _mode("correspondence", "Correspondence", (own, carried), legend, arrays)


def _axis_bars() -> list[dict]:
    """Colour bars along the three axes through the middle of the source's box."""
    box = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    bars = []
    for axis, (low, high) in enumerate((("right", "left"), ("front", "back"), ("bottom", "top"))):
        line = np.full((9, 3), 0.5)
        line[:, axis] = np.linspace(0.0, 1.0, 9)
        shades = [*map(paint.hex_colour, paint.position_colours(line, box))]
        bars.append({"low": low, "high": high, "colours": shades})
    return bars


def _confidence_mode(source, target_to_source, confidence, arrays) -> dict:
    of_target = np.where(target_to_source >= 0, confidence, np.nan)
    of_source = np.full(len(source.vertices), -np.inf)
    known = np.isfinite(of_target)
    np.maximum.at(of_source, target_to_source[known], of_target[known])
    sides = tuple(paint.confidence_colours(values, 0.0, 1.0) for values in (of_source, of_target))
    steps = paint.confidence_colours(np.linspace(0.0, 1.0, 11), 0.0, 1.0)
    low, high = paint.CONFIDENCE_ENDS
    bar = {"low": low, "high": high, "colours": [*map(paint.hex_colour, steps)]}
    legend = {
        "bars": [bar],
        "swatches": [_swatch(paint.NO_MATCH, "nothing maps here")],
        "note": "Confidence of the match; a source point shows the best match that arrives there.",
    }
    return _mode("confidence", "Confidence", sides, legend, arrays)


def _parts_mode(source, target, meta, arrays) -> dict:
    sides, used = [], set()
    for shape in (source, target):
        labels = shape.face_labels
        labels = np.full(len(shape.faces), -1) if labels is None else np.asarray(labels)
        if labels.max(initial=-1) >= len(meta.part_names):
            raise ValueError(f"face_labels: {labels.max()} has no name in {meta.part_names}")
        used.update(int(label) for label in np.unique(labels))
        sides.append(paint.label_colours(labels))
    swatches = [
        _swatch(paint.label_colours(np.array([label]))[0], name)
        for label, name in enumerate(meta.part_names)
        if label in used
    ]
    if -1 in used:
        swatches.append(_swatch(paint.NO_MATCH, "no label"))
    legend = {"swatches": swatches, "note": meta.parts_note}
    return _mode("parts", "Parts", sides, legend, arrays, per_face=True)


def _original_mode(source, target, arrays) -> dict:
    sides = [
        np.tile(np.uint8([[200, 200, 200]]), (len(shape.vertices), 1))
        if shape.vertex_colours is None
        else np.asarray(shape.vertex_colours)
        for shape in (source, target)
    ]
    legend = {"note": "Colours of the files."}
    return _mode("original", "Original", sides, legend, arrays)
