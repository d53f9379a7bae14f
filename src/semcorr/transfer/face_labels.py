"""Labels of faces from labels of what lies on them: corners and surface samples."""

import numpy as np
from jaxtyping import Float, Int


def label_faces(
    labels: Int[np.ndarray, " n"],
    confidence: Float[np.ndarray, " n"],
    faces: Int[np.ndarray, "f 3"],
    sample_face: Int[np.ndarray, " s"],
    polygon_of_face: Int[np.ndarray, " f"],
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Return the label of every polygon of a file and how sure it is.

    The corners of its triangles and every sample on them have one vote each: samples decide large
    polygons, corners the small ones that hold none. The smallest label wins a tie.

    Args:
        labels: part index of every site (vertices, then samples), -1 = none, which does not vote.
        confidence: of every site.
        faces: (f, 3) vertices of the triangles.
        sample_face: (s,) triangle of each sample; n = number of vertices + s.
        polygon_of_face: (f,) polygon that each triangle was cut from.

    Returns:
        (p,) int64, -1 where nobody votes, and the mean confidence of those who voted for the
        winner, 0 where there is none.
    """
    labels, confidence = np.asarray(labels), np.asarray(confidence, np.float64)
    first = len(labels) - len(sample_face)
    polygons = int(np.max(polygon_of_face, initial=-1)) + 1
    triangle = np.concatenate([np.repeat(np.arange(len(faces)), 3), sample_face]).astype(np.int64)
    where = np.asarray(polygon_of_face, np.int64)[triangle]
    who = np.concatenate([np.ravel(faces), np.arange(first, len(labels))])
    best = np.full(polygons, -1, np.int64)
    most = np.zeros(polygons, np.int64)
    sure = np.zeros(polygons)
    # label by label: a table of polygons times labels would be large for a scan
    for label in np.unique(labels[labels >= 0]):
        voting = labels[who] == label
        count = np.bincount(where[voting], minlength=polygons)
        total = np.bincount(where[voting], confidence[who[voting]], minlength=polygons)
        wins = count > most
        best[wins], most[wins] = label, count[wins]
        sure[wins] = total[wins] / count[wins]
    return best, sure
