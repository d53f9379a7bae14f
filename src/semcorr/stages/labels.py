"""Stage `labels`: part labels of the sources of an experiment, carried to the targets of one chunk."""

import numpy as np

from semcorr.datasets.context import encode
from semcorr.errors import ItemError
from semcorr.stages.matched.coseg_labels import has_labels, shape_labels
from semcorr.stages.matched.coseg_votes import Voice, voice_of
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import simple, write_chunk
from semcorr.store.items import Arrays
from semcorr.transfer.face_labels import label_faces
from semcorr.transfer.voting import vote_labels

RAGGED = frozenset({"vertex_labels", "face_labels", "face_confidence", "info"})


def main(job: StageJob) -> None:
    """Write labels/{method}/{experiment}/{pose}/{chunk}: one item per target.

    Arrays of an item:
        vertex_labels: (v,) int16, index into `parts`, -1 = none.
        face_labels: (p,) int16, likewise, of the polygons of the file.
        face_confidence: (p,) float16, that of the maps from which the label came.
        info: JSON with `parts` (names) and `sources` (the shapes whose labels were carried).

    Where several sources are labelled, each votes with the confidence of its map. No label of a
    target is read: the inputs hold the ground truth of the sources' chunks, of which only that of
    sources is used.
    """
    manifests = {name: job.inputs[name] for name in ("matches", "meshes", "truth")}
    carried = CarriedLabels(PosePairs.open(**manifests, part_names=job.cfg["part_names"]))
    # a source that nobody else labels is matched with nothing, and has labels already
    ids = carried.targets() & set(job.ids)
    write_chunk(
        job.chunk_job(
            tuple(sorted(ids)),
            RAGGED,
            frame="vertices and polygons of the file",
            units="part index",
        ),
        lambda missing: simple(carried.of),
        unit="shape",
    )


class CarriedLabels:
    """Labels of targets by what their sources say.

    Args:
        pairs: maps of the targets and ground truth of the sources.
    """

    def __init__(self, pairs: PosePairs):
        self._pairs = pairs
        rows = pairs.rows()
        sources = sorted({source for source, *_ in rows})
        self._parts = sorted({n for s in sources if has_labels(pairs, s) for n in self._names(s)})
        self._own = {source: shape_labels(pairs, source, self._parts) for source in sources}
        self._sources_of: dict[str, list[str]] = {}
        for source, target, *_ in rows:
            self._sources_of.setdefault(target, []).append(source)

    def _names(self, source: str) -> tuple[str, ...]:
        return self._pairs.truth_of(source).label_names

    def targets(self) -> set[str]:
        """Return the shapes to which there is a map, or should be."""
        return set(self._sources_of)

    def of(self, target: str) -> Arrays:
        """Return the arrays of a target.

        Raises:
            ItemError: no labelled source has a map to it.
        """
        voices = {
            source: self._voice(source, target) for source in self._sources_of.get(target, ())
        }
        heard = {source: voice for source, voice in voices.items() if voice is not None}
        if not heard:
            raise ItemError("no labelled source has a map to it", "upstream_failed")
        sites = self._pairs.sites(target)
        said = np.stack([voice.labels for voice in heard.values()])
        weight = np.stack([voice.confidence for voice in heard.values()]).astype(np.float64)
        labels = vote_labels(said, weight)
        sure = np.where(said == labels, weight, 0.0).max(axis=0)
        by_face, confidence = label_faces(
            labels, sure, sites.faces, sites.sample_face, self._pairs.polygons(target)
        )
        return {
            "vertex_labels": labels[: sites.num_vertices].astype(np.int16),
            "face_labels": by_face.astype(np.int16),
            "face_confidence": confidence.astype(np.float16),
            "info": encode({"parts": self._parts, "sources": sorted(heard)}),
        }

    def _voice(self, source: str, target: str) -> Voice | None:
        if self._own[source] is None:
            return None
        return voice_of(self._own[source], self._pairs.map_of(source, target))


if __name__ == "__main__":
    run_alone(main, main.__doc__)
