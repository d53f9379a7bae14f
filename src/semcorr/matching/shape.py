"""What a matcher may know of a shape: sites, and features on sites or on grids."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from semcorr.errors import ItemError
from semcorr.matching.rotations import turns


@dataclass(frozen=True)
class Shape:
    """One side of a pair. Positions are world positions (Z up, longest side 1, centred).

    Attributes:
        sites: (n, 3) float64, the vertices of the file followed by surface samples.
        num_vertices: how many of the sites are vertices.
        site_features: (n, c) float32 descriptors of sites, or None.
        grids: (k, c, r, r, r) float16 or float32 descriptors of all latent cells, axes (x, y, z), one
            grid per pose (the shape turned by `turned_from_world[k]`), or None.
        voxels: one (m, 3) integer array of occupied voxels per pose, or None.
        voxel_resolution: voxels per axis; a multiple of r.
        turned_from_world: (k, 4, 4) float64, where a world point lies in the frame in which pose k
            was voxelised. None = rotation by k * 360 / yaws degrees about +Z and nothing else.
        name: for messages.
        on_surface: (n,) bool, False for vertices that no face uses, which may lie anywhere; None = all
            sites lie on the surface.
    """

    sites: Float[np.ndarray, "n 3"]
    num_vertices: int
    site_features: Float[np.ndarray, "n c"] | None = None
    grids: Float[np.ndarray, "k c r r r"] | None = None
    voxels: tuple[Int[np.ndarray, "m 3"], ...] | None = None
    voxel_resolution: int | None = None
    turned_from_world: Float[np.ndarray, "k 4 4"] | None = None
    name: str = "shape"
    on_surface: Bool[np.ndarray, " n"] | None = None

    def __post_init__(self):
        sites = np.ascontiguousarray(self.sites, dtype=np.float64)
        if sites.ndim != 2 or sites.shape[1] != 3 or len(sites) == 0:
            raise ValueError(f"{self.name}: sites: expected (n >= 1, 3), got {sites.shape}")
        if not np.isfinite(sites).all():
            raise ItemError(f"{self.name}: sites hold NaN or infinite positions")
        if not 0 <= self.num_vertices <= len(sites):
            raise ValueError(
                f"{self.name}: num_vertices: expected 0..{len(sites)}, got {self.num_vertices}"
            )
        object.__setattr__(self, "sites", sites)
        if self.on_surface is not None:
            self._check_on_surface()
        if self.site_features is not None:
            self._check_site_features()
        if self.grids is not None or self.voxels is not None:
            self._check_grids()

    def _check_on_surface(self):
        if self.on_surface.shape != (len(self.sites),):
            raise ValueError(
                f"{self.name}: on_surface: expected ({len(self.sites)},), got {self.on_surface.shape}"
            )
        if not self.on_surface.any():
            raise ItemError(f"{self.name}: no site lies on the surface")

    def _check_site_features(self):
        features = np.ascontiguousarray(self.site_features, dtype=np.float32)
        if features.ndim != 2 or len(features) != len(self.sites) or features.shape[1] == 0:
            raise ValueError(
                f"{self.name}: site_features: expected ({len(self.sites)}, c), got {features.shape}"
            )
        if not np.isfinite(features).all():
            raise ItemError(f"{self.name}: site features hold NaN or infinite values")
        object.__setattr__(self, "site_features", features)

    def _check_grids(self):
        if self.grids is None or self.voxels is None or self.voxel_resolution is None:
            raise ValueError(f"{self.name}: grids, voxels and voxel_resolution come together")
        shape = self.grids.shape
        if len(shape) != 5 or len(set(shape[2:])) != 1 or 0 in shape:
            raise ValueError(f"{self.name}: grids: expected (k, c, r, r, r), got {shape}")
        if len(self.voxels) != shape[0]:
            raise ValueError(
                f"{self.name}: voxels: expected {shape[0]} poses, got {len(self.voxels)}"
            )
        if self.voxel_resolution % shape[2]:
            raise ValueError(
                f"{self.name}: voxel_resolution: expected a multiple of {shape[2]}, "
                f"got {self.voxel_resolution}"
            )
        if not np.isfinite(self.grids).all():
            raise ItemError(f"{self.name}: grid features hold NaN or infinite values")
        if any(len(voxels) == 0 for voxels in self.voxels):
            raise ItemError(f"{self.name}: no occupied voxel")
        if self.turned_from_world is not None and self.turned_from_world.shape != (shape[0], 4, 4):
            raise ValueError(
                f"{self.name}: turned_from_world: expected ({shape[0]}, 4, 4), "
                f"got {self.turned_from_world.shape}"
            )

    @property
    def samples(self) -> Float[np.ndarray, "s 3"]:
        """The surface samples, (s, 3); all sites where there are no samples."""
        return self.sites[self.sample_rows]

    @property
    def sample_rows(self) -> Int[np.ndarray, " s"]:
        """Rows of the samples among the sites; all rows where there are no samples."""
        first = self.num_vertices if self.num_vertices < len(self.sites) else 0
        return np.arange(first, len(self.sites))

    @property
    def is_surface(self) -> bool:
        """Tell whether all sites lie on the surface."""
        return self.on_surface is None or bool(self.on_surface.all())

    @property
    def surface_rows(self) -> Int[np.ndarray, " m"]:
        """Rows of the sites on the surface: all but vertices that no face uses."""
        return np.arange(len(self.sites)) if self.is_surface else np.flatnonzero(self.on_surface)

    def surface(self) -> "Shape":
        """Return the shape with the sites on its surface alone, in their order."""
        if self.is_surface:
            return self
        rows = self.surface_rows
        features = self.site_features
        return replace(
            self,
            sites=self.sites[rows],
            num_vertices=int(np.count_nonzero(rows < self.num_vertices)),
            site_features=None if features is None else features[rows],
            on_surface=None,
        )

    def turned_sites(self, pose: int) -> Float[np.ndarray, "n 3"]:
        """Return all sites in the frame in which pose `pose` was voxelised."""
        if self.turned_from_world is None:
            return self.sites @ turns(len(self.grids))[pose].T
        turned_from_world = self.turned_from_world[pose]
        return self.sites @ turned_from_world[:3, :3].T + turned_from_world[:3, 3]


def site_features_of(source: Shape, target: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the site features of both shapes, or say which are missing or do not fit."""
    for shape in (source, target):
        if shape.site_features is None:
            raise ValueError(f"{shape.name}: this matcher needs site features, got none")
    channels = source.site_features.shape[1], target.site_features.shape[1]
    if channels[0] != channels[1]:
        raise ValueError(
            f"site_features: expected as many channels in {source.name} as in {target.name}, "
            f"got {channels[0]} and {channels[1]}"
        )
    return source.site_features, target.site_features


def grids_of(source: Shape, target: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the feature grids of both shapes, or say which are missing or do not fit."""
    for shape in (source, target):
        if shape.grids is None:
            raise ValueError(f"{shape.name}: this matcher needs grids of features, got none")
    if source.grids.shape[1:] != target.grids.shape[1:]:
        raise ValueError(
            f"grids: expected one grid shape, got {source.grids.shape[1:]} for {source.name} "
            f"and {target.grids.shape[1:]} for {target.name}"
        )
    if source.voxel_resolution != target.voxel_resolution:
        raise ValueError(
            f"voxel_resolution: expected one resolution, got {source.voxel_resolution} for "
            f"{source.name} and {target.voxel_resolution} for {target.name}"
        )
    return source.grids, target.grids


def concentric_sites(
    source: Shape, target: Shape
) -> tuple[Float[np.ndarray, "s 3"], Float[np.ndarray, "t 3"]]:
    """Return both shapes' sites about one centre and in one size, as Procrustes analysis has them.

    The mean of a shape's samples comes to the origin; the root mean square distance of the target's
    samples from it becomes the source's. Neither depends on how a shape is turned, as centre and side
    of its box do.
    """
    (source_centre, radius), (target_centre, size) = _spread(source), _spread(target)
    factor = radius / size if size > 0 else 1.0
    return source.sites - source_centre, (target.sites - target_centre) * factor


def _spread(shape: Shape) -> tuple[Float[np.ndarray, " 3"], float]:
    """Mean of the samples and their root mean square distance from it."""
    centre = shape.samples.mean(axis=0)
    return centre, float(np.sqrt(((shape.samples - centre) ** 2).sum(axis=1).mean()))
