"""The ray caster's picture: diffuse colours of hits, averaged over a pixel where needed."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from semcorr.cameras import Cameras, pixel_rays
from semcorr.rendering.appearance import Appearance
from semcorr.rendering.colour import bytes_from_linear
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.lighting import (
    PATTERNS,
    SurfacePoints,
    area_radiance,
    area_shares,
    mean_over_neighbours,
    point_radiance,
    prepare_area_lamp,
)
from semcorr.rendering.rays import Hits, RayCaster, dot

# shadow rays start this far off the surface, in units of the shape's longest side
SHADOW_OFFSET = 2e-4
# light that bounces once: of the lamp's light that the shape hides from a point, the share that the
# hiding surface throws back, times both albedos; chosen so that mean colours agree with Cycles
BOUNCE = 0.35


class Shader:
    """Colours of one shape under the options' lamps."""

    def __init__(self, caster: RayCaster, options: RenderOptions):
        self.caster = caster
        self.options = options
        self.appearance = Appearance(caster.mesh)
        lamps = [lamp for lamp in options.lamps if not lamp.shines_away]
        self.point_lamps = [lamp for lamp in lamps if lamp.kind == "point"]
        self.area_lamps = [prepare_area_lamp(lamp) for lamp in lamps if lamp.kind == "area"]

    def encode(self, light: Float[np.ndarray, "3 p"]) -> UInt8[np.ndarray, "3 p"]:
        """Picture values of radiance."""
        return bytes_from_linear(light, self.options.view_transform, self.options.exposure)

    def at_centres(
        self,
        hits: Hits,
        normals: tuple[Float[np.ndarray, "3 p"], Float[np.ndarray, "3 p"]],
        pixel_area: float,
        shape: tuple[int, int],
    ) -> Float[np.ndarray, "3 p"]:
        """Radiance of hits of a grid of pixels, float32; soft shadows average over neighbours.

        Args:
            hits: at most one per pixel, `ray` = flat index of the pixel.
            normals: of the hits, see `RayCaster.normals`.
            pixel_area: area of a pixel at depth 1.
            shape: rows and columns of the grid.
        """
        flat, smooth = normals
        row, column = np.divmod(hits.ray, shape[1])
        points = self._points(hits, flat, smooth, (row % 4) * 4 + column % 4)
        surface = np.concatenate([smooth, hits.depth[None].astype(np.float32)])

        def share_of(lamp):
            sent, arrived = area_shares(lamp, points, self.caster.blocked)
            return mean_over_neighbours(sent, arrived, hits.ray, surface, shape)

        return self._reflected(hits, flat, points, pixel_area, share_of)

    def at_samples(
        self,
        hits: Hits,
        pixel_area: float,
        pixel: Int[np.ndarray, " p"],
        pattern: Int[np.ndarray, " p"],
    ) -> Float[np.ndarray, "3 p"]:
        """Radiance of several samples per pixel, float32.

        Each sample sees one point of an area lamp; samples of one pixel whose normals point into
        the same of 27 coarse directions share what they saw.

        Args:
            hits: samples.
            pixel_area: area that a sample stands for, at depth 1.
            pixel: number of the pixel that each sample belongs to, from 0.
            pattern: lamp point of each sample.
        """
        flat, smooth = self.caster.normals(hits)
        points = self._points(hits, flat, smooth, pattern)
        coarse = np.rint(smooth * np.float32(1.49)).astype(np.int64) + 1
        group = ((pixel * 3 + coarse[0]) * 3 + coarse[1]) * 3 + coarse[2]

        def share_of(lamp):
            sent, arrived = area_shares(lamp, points, self.caster.blocked)
            total = np.bincount(group, weights=sent)
            share = np.bincount(group, weights=arrived) / np.maximum(total, 1e-9)
            return np.where(total > 0, share, 1.0).astype(np.float32)[group]

        return self._reflected(hits, flat, points, pixel_area, share_of)

    def _points(self, hits, flat, smooth, pattern):
        """Shading points slightly above the surface."""
        offset = np.float32(SHADOW_OFFSET * self.caster.extent)
        along = (hits.direction * hits.depth).astype(np.float32, copy=False)
        position = hits.origin.astype(np.float32)[:, None] + along + flat * offset
        return SurfacePoints(position, smooth, pattern)

    def _reflected(self, hits, flat, points, pixel_area, share_of):
        """Radiance that leaves the surface: all lamps, the surroundings, one bounce."""
        blocked = self.caster.blocked if self.options.shadows else None
        light = np.full(len(hits.ray), self.options.ambient, np.float32)
        hidden = np.zeros_like(light)
        for lamp in self.point_lamps:
            light += point_radiance(lamp, points, blocked)
        for lamp in self.area_lamps:
            full = area_radiance(lamp, points)
            seen = full if blocked is None else full * share_of(lamp)
            light += seen
            hidden += full - seen
        albedo = self.appearance.albedo(
            hits.face_id, hits.weights, self._footprint(hits, flat, pixel_area)
        )
        return albedo * (light + np.float32(BOUNCE) * albedo * hidden)

    def _footprint(self, hits, flat, pixel_area):
        """World area that a pixel covers on the surface, limited at grazing angles."""
        direction = hits.direction.astype(np.float32, copy=False)
        length = np.sqrt(dot(direction, direction))
        cosine = np.maximum(np.abs(dot(flat, direction)), np.float32(0.1) * length)
        depth = hits.depth.astype(np.float32, copy=False)
        return depth * depth * np.float32(pixel_area) * length / cosine


def supersample(
    shader: Shader, cameras: Cameras, view: int, pixels: Int[np.ndarray, "p 2"]
) -> tuple[Float[np.ndarray, "3 p"], Float[np.ndarray, " p"]]:
    """Mean radiance of the covered part, and coverage 0..1, of whole pixels.

    Samples lie on a regular grid inside the pixel (box filter).

    Args:
        shader: the shape.
        cameras: the rig.
        view: index of the camera.
        pixels: (p, 2) integer (column, row).
    """
    grid = int(np.ceil(np.sqrt(shader.options.samples)))
    steps = (np.arange(grid) + 0.5) / grid
    inside = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    places = (pixels[:, None] + inside).reshape(-1, 2)
    hits = shader.caster.cast(*pixel_rays(cameras, view, places), exact=False)
    pixel, sample = np.divmod(hits.ray, grid * grid)
    # neighbouring pixels start at another lamp point, so that few samples still see all of it
    turn = 5 * pixels[:, 0] + 3 * pixels[:, 1]
    pattern = (sample + turn[pixel]) % PATTERNS
    light = shader.at_samples(hits, pixel_area(cameras, view), pixel, pattern)
    number = np.bincount(pixel, minlength=len(pixels))
    sums = [np.bincount(pixel, weights=part, minlength=len(pixels)) for part in light]
    mean = np.stack(sums) / np.maximum(number, 1)
    return mean.astype(np.float32), (number / (grid * grid)).astype(np.float32)


def pixel_area(cameras: Cameras, view: int) -> float:
    """Area of a pixel in the plane at depth 1."""
    return float(1.0 / (cameras.intrinsics[view, 0, 0] * cameras.intrinsics[view, 1, 1]))
