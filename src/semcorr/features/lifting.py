"""Image features lifted to the surface: mean over the views in which a site is visible."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from semcorr.cameras import Cameras, project
from semcorr.errors import ItemError, UserError
from semcorr.networks.backbones import Backbone, extract

# Sites sampled at once: bounds the temporary (chunk, channels) arrays.
_CHUNK = 8192
_BACKGROUNDS = {"white": 1.0, "grey": 0.5, "black": 0.0}


@dataclass(frozen=True)
class LiftOptions:
    """How feature maps become features of sites.

    Attributes:
        layers: layer -> weight in the concatenation, in this order.
        centre: `view` subtracts each view's mean over the object's pixels, per channel.
        network_size: side of the pictures that the network saw, pixels.
        cells_at_corners: where the cells of a map lie, see `backbones.Preprocessing`.
        tolerance: largest distance along the optical axis between a visible site and the depth
            buffer, world units (longest side of a shape = 1); never less than a pixel is wide there.
    """

    layers: Mapping[str, float]
    network_size: int
    centre: Literal["none", "view"] = "view"
    cells_at_corners: bool = False
    tolerance: float = 0.01

    def __post_init__(self):
        if not self.layers or any(weight <= 0 for weight in self.layers.values()):
            raise UserError("layers: give at least one layer, weights must be positive")
        if self.centre not in ("none", "view"):
            raise UserError(f"centre: expected none or view, got {self.centre!r}")


@dataclass(frozen=True)
class Lifted:
    """Features of sites.

    Attributes:
        features: (n, c) float16; sites that no view shows have those of the nearest seen site.
        hits: (n,) int32, number of views that show a site.
    """

    features: Float[np.ndarray, "n c"]
    hits: Int[np.ndarray, " n"]


def on_background(
    rgba: UInt8[np.ndarray, "n h w 4"], background: Literal["white", "grey", "black"] = "white"
) -> Float[np.ndarray, "n h w 3"]:
    """Lay pictures with straight alpha over a plain background.

    Args:
        rgba: renderings.
        background: its name.

    Returns:
        float32 RGB in 0..1.
    """
    values = rgba.astype(np.float32) / 255
    alpha = values[..., 3:]
    return values[..., :3] * alpha + np.float32(_BACKGROUNDS[background]) * (1 - alpha)


def cut_out(
    rgba: UInt8[np.ndarray, "n h w 4"],
    depth: Float[np.ndarray, "n h w"],
    mask: UInt8[np.ndarray, "n h w"],
) -> tuple[UInt8[np.ndarray, "n h w 4"], Float[np.ndarray, "n h w"]]:
    """Take everything but the mask's pixels out of views: transparent, and hit by no ray.

    Args:
        rgba: renderings with straight alpha.
        depth: along the optical axis, 0 = no hit.
        mask: not 0 where the object is.

    Raises:
        ItemError: no pixel is both hit and in the mask.
    """
    if mask.shape != depth.shape:
        raise ValueError(f"mask: expected {depth.shape}, got {mask.shape}")
    inside = mask > 0
    if not (inside & (depth > 0)).any():
        raise ItemError("the mask holds no pixel of the shape in any view")
    return rgba * inside[..., None].astype(np.uint8), np.where(inside, depth, depth.dtype.type(0))


def view_maps(
    backbone: Backbone,
    pictures: Float[np.ndarray, "n h w 3"],
    layers: Iterable[str],
    size: int,
) -> Iterator[dict[str, Float[np.ndarray, "c h w"]]]:
    """Feature maps of one view after the other (memory does not grow with the number of views).

    Args:
        backbone: image network.
        pictures: RGB, uint8 0..255 or floating 0..1.
        layers: see `backbones.extract`.
        size: side given to the network, pixels.

    Yields:
        Layer -> (c, h', w') float32.
    """
    layers = tuple(layers)
    for picture in pictures:
        maps = extract(backbone, picture[None], layers, size)
        yield {layer: maps[layer][0].numpy() for layer in layers}


def visible_sites(
    pixels: Float[np.ndarray, "n 2"],
    site_depth: Float[np.ndarray, " n"],
    depth: Float[np.ndarray, "h w"],
    tolerance: float | Float[np.ndarray, " n"],
) -> Int[np.ndarray, " k"]:
    """Sites that the depth buffer shows.

    A site counts as seen if one of the four pixels around it holds its depth: at an edge of the
    shape the pixel that contains it may already show the background.

    Args:
        pixels: (x, y) of the sites, pixel centres at +0.5.
        site_depth: along the optical axis.
        depth: buffer, 0 = no hit.
        tolerance: world units, one for all or one per site.

    Returns:
        Indices of the visible sites, ascending.
    """
    height, width = depth.shape
    inside = (site_depth > 0) & (pixels >= 0).all(1) & (pixels < (width, height)).all(1)
    candidates = np.flatnonzero(inside)
    limit = np.broadcast_to(tolerance, site_depth.shape)[candidates]
    corner = np.floor(pixels[candidates] - 0.5).astype(np.int64)
    seen = np.zeros(len(candidates), bool)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x = np.clip(corner[:, 0] + dx, 0, width - 1)
        y = np.clip(corner[:, 1] + dy, 0, height - 1)
        buffer = depth[y, x]
        seen |= (buffer > 0) & (np.abs(buffer - site_depth[candidates]) <= limit)
    return candidates[seen]


def bilinear_operator(
    pixels: Float[np.ndarray, "p 2"],
    picture: tuple[int, int],
    cells: tuple[int, int],
    options: LiftOptions,
) -> csr_array:
    """Sparse matrix (p, h' * w') that samples a feature map at pixel positions of a picture.

    Args:
        pixels: (x, y), pixel centres at +0.5.
        picture: (h, w) of the picture that the positions refer to.
        cells: (h', w') of the map.
        options: network_size and cells_at_corners.

    Returns:
        float32 rows of at most four weights that sum to 1; positions beyond the outermost cells
        take the border.
    """
    weights, columns = [], []
    for axis, (extent, count) in enumerate(((picture[1], cells[1]), (picture[0], cells[0]))):
        relative = pixels[:, axis] / extent
        if options.cells_at_corners:
            size = options.network_size
            position = (relative * size - 0.5) / (size - 1) * (count - 1)
        else:
            position = relative * count - 0.5
        position = np.clip(position, 0, count - 1)
        lower = np.minimum(position.astype(np.int64), max(count - 2, 0))
        upper = np.minimum(lower + 1, count - 1)
        share = position - lower
        weights.append((1 - share, share))
        columns.append((lower, upper))
    entries, indices = [], []
    for y in (0, 1):
        for x in (0, 1):
            entries.append(weights[1][y] * weights[0][x])
            indices.append(columns[1][y] * cells[1] + columns[0][x])
    rows = np.arange(0, 4 * len(pixels) + 1, 4)
    data = np.stack(entries, 1).astype(np.float32).ravel()
    shape = (len(pixels), cells[0] * cells[1])
    return csr_array((data, np.stack(indices, 1).ravel(), rows), shape=shape)


def centred_and_normalised(
    feature_map: Float[np.ndarray, "c h w"],
    depth: Float[np.ndarray, "h w"],
    options: LiftOptions,
) -> Float[np.ndarray, "k c"]:
    """Rows of a feature map, minus the view's mean over the object's pixels, each of length 1.

    Args:
        feature_map: of one layer and view.
        depth: of the view; the object is where it is positive.
        options: centre and the geometry of the cells.

    Returns:
        (h' * w', c) float32, row-major cells.
    """
    rows = np.ascontiguousarray(feature_map.reshape(len(feature_map), -1).T, dtype=np.float32)
    y, x = np.nonzero(depth > 0)
    if options.centre == "view" and len(x):
        pixels = np.stack([x, y], 1) + 0.5
        # The mean of the sampled map over all object pixels, without sampling it at each.
        share = bilinear_operator(pixels, depth.shape, feature_map.shape[1:], options).sum(0)
        rows -= (np.asarray(share, np.float64) / len(x) @ rows).astype(np.float32)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norm, np.float32(1e-12))


def lift(
    maps: Iterable[Mapping[str, Float[np.ndarray, "c h w"]]],
    depth: Float[np.ndarray, "n h w"],
    cameras: Cameras,
    sites: Float[np.ndarray, "s 3"],
    options: LiftOptions,
) -> Lifted:
    """Average the layers' normalised features over the views in which each site is visible.

    Args:
        maps: per view, layer -> feature map; consumed one view at a time.
        depth: (views, h, w) along the optical axis, 0 = no hit.
        cameras: of the views; picture size of `depth`.
        sites: world positions.
        options: layers and weights, centring, tolerance.

    Returns:
        Concatenated layers per site, and the number of views that show it.

    Raises:
        ItemError: no view shows any site, or features that are not finite.
    """
    if depth.shape != (len(cameras), cameras.height, cameras.width):
        raise ValueError(
            f"depth: expected {(len(cameras), cameras.height, cameras.width)}, got {depth.shape}"
        )
    total: Float[np.ndarray, "s c"] | None = None
    hits = np.zeros(len(sites), np.int32)
    for view, layers in zip(range(len(cameras)), maps, strict=True):
        blocks = [
            (layers[name].shape[1:], centred_and_normalised(layers[name], depth[view], options))
            for name in options.layers
        ]
        if total is None:
            total = np.zeros((len(sites), sum(rows.shape[1] for _, rows in blocks)), np.float32)
        pixels, site_depth = (part[0] for part in project(cameras.select(view), sites))
        # Coarse pictures: next to a pixel's centre a slanted surface is up to a pixel away in depth.
        tolerance = np.maximum(options.tolerance, site_depth / cameras.intrinsics[view, 0, 0])
        visible = visible_sites(pixels, site_depth, depth[view], tolerance)
        hits[visible] += 1
        for start in range(0, len(visible), _CHUNK):
            _add(total, visible[start : start + _CHUNK], pixels, depth.shape[1:], blocks, options)
    if total is None or not hits.any():
        raise ItemError(f"no view shows any of the {len(sites)} sites")
    return _finish(total, hits, sites)


def _add(total, chosen, pixels, picture, blocks, options: LiftOptions) -> None:
    """Add the weighted samples of all layers at the chosen sites, in place."""
    start = 0
    for (cells, rows), weight in zip(blocks, options.layers.values(), strict=True):
        operator = bilinear_operator(pixels[chosen], picture, cells, options)
        total[chosen, start : start + rows.shape[1]] += np.float32(weight) * (operator @ rows)
        start += rows.shape[1]


def _finish(
    total: Float[np.ndarray, "s c"], hits: Int[np.ndarray, " s"], sites: Float[np.ndarray, "s 3"]
) -> Lifted:
    """Divide by the counts; give unseen sites the features of the nearest seen one."""
    total /= np.maximum(hits, 1)[:, None].astype(np.float32)
    features = total.astype(np.float16)
    seen = np.flatnonzero(hits)
    unseen = np.flatnonzero(hits == 0)
    if len(unseen):
        _, nearest = cKDTree(sites[seen]).query(sites[unseen])
        features[unseen] = features[seen[nearest]]
    if not np.isfinite(features).all():
        raise ItemError("lifted features are not finite")
    return Lifted(features, hits)
