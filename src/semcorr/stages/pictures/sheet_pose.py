"""What the contact sheets of one pose have in common: its maps, its rows, its shapes."""

from dataclasses import dataclass

from semcorr.geometry.mesh import Mesh
from semcorr.report.contact_sheet import Prediction, SheetSource, SheetTarget, SheetText
from semcorr.stages.matched.coseg_labels import shape_face_labels
from semcorr.stages.matched.pose_pairs import PosePairs


@dataclass(frozen=True)
class Sheet:
    """One pose with the maps of all methods.

    Attributes:
        methods: method -> its pairs.
        shown: (source, target) of each row.
        names: part names.
        text: heading.
    """

    methods: dict[str, PosePairs]
    shown: list[tuple[str, str]]
    names: list[str]
    text: SheetText

    @property
    def any(self) -> PosePairs:
        """Pairs of one method, for what all methods share."""
        return next(iter(self.methods.values()))


def sources_of_rows(sheet: Sheet) -> list[str]:
    """Return the sources of the rows, sorted."""
    return sorted({source for source, _ in sheet.shown})


def row_note(sheet: Sheet, source: str) -> str:
    """Return the words below a target's name: its source, where there are several."""
    return f"from {source}" if len(sources_of_rows(sheet)) > 1 else ""


def sheet_sources(sheet: Sheet, names: list[str]) -> list[SheetSource]:
    """Return these sources with their labels."""
    return [
        SheetSource(
            name=source,
            mesh=_mesh(sheet.any, source),
            face_labels=shape_face_labels(sheet.any, source, sheet.names),
            sites=sheet.any.sites(source).positions,
        )
        for source in names
    ]


def sheet_target(sheet: Sheet, target: str, predictions: dict[str, Prediction]) -> SheetTarget:
    """Return a row: the target with its labels and what the methods say."""
    sites = sheet.any.sites(target)
    return SheetTarget(
        name=target,
        mesh=_mesh(sheet.any, target),
        sites=sites.positions[sites.num_vertices :],
        face_labels=shape_face_labels(sheet.any, target, sheet.names),
        predictions=predictions,
    )


def _mesh(pairs: PosePairs, item_id: str) -> Mesh:
    sites = pairs.sites(item_id)
    return Mesh(vertices=sites.positions[: sites.num_vertices], faces=sites.faces)
