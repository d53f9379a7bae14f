"""Objective of the image encoder: one surface point, two pictures, one descriptor.

The pictures show one shape from two sides, in other colours and, where copies are made, in other
proportions. Other points of the same shape are what a point is told from, not other shapes: a
descriptor is then free to mean the same on all of them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from semcorr.cameras import Cameras
from semcorr.errors import UserError
from semcorr.networks.backbones import Preprocessing, build_backbone
from semcorr.rendering.interface import RenderOptions, Views
from semcorr.rendering.raycast import render
from semcorr.seeds import seed_of
from semcorr.training.deformation import posed
from semcorr.training.materials import Materials, Product, RenderedShape
from semcorr.training.pictures import Stretch, recoloured
from semcorr.training.view_pairs import (
    SharedPoints,
    ViewArrays,
    on_surface,
    shared_points,
    view_arrays,
)

VERSION = 1

# Fewer shared points teach little; such a pair of views is drawn again
FEWEST = 24
# A match counts as found within this distance, longest side = 1
NEAR = 0.05
COPY_SAMPLES = 4


@dataclass(frozen=True)
class Example:
    """One pair of pictures of one shape.

    Attributes:
        pictures: (2, 3, s, s) RGB in 0..1.
        pixels: (2, p, 2) where both show the points.
        positions: (p, 3) of the points on the original shape.
    """

    pictures: Float[Tensor, "2 3 s s"]
    pixels: Float[np.ndarray, "2 p 2"]
    positions: Float[np.ndarray, "p 3"]


class Album:
    """Pictures of shapes and of their copies, and pairs of them.

    Args:
        entry: options of the `models` entry.
        materials: rendered shapes, cache, seed.

    Raises:
        UserError: no shapes, too few for training, or pictures of another size.
    """

    def __init__(self, entry, materials: Materials):
        self.entry, self.seed = entry, materials.seed
        if materials.rendered is None:
            raise UserError("multiview_contrastive needs `dataset` and `render`")
        shapes = materials.rendered()
        size = shapes[0].views["rgba"].shape[1]
        if size != entry.size:
            raise UserError(f"size: {entry.size} does not fit the rendered pictures of {size}")
        if len(shapes) <= entry.held_out:
            raise UserError(
                f"held_out: {entry.held_out} of {len(shapes)} rendered shapes leaves none to train on"
            )
        self.meshes = [shape.mesh for shape in shapes]
        self.cameras = cameras_of(shapes[0])
        own = ViewArrays.of([self._own(n, shape) for n, shape in enumerate(shapes)])
        self.copies = [own]
        for copy in range(entry.copies):

            def rows(numbers: range, copy=copy) -> dict[str, np.ndarray]:
                return ViewArrays.of([self._copied(n, copy) for n in numbers]).arrays()

            found = materials.cached(f"copy_{copy}", len(shapes), rows, False)
            self.copies.append(ViewArrays(**found))
        self.train = range(len(shapes) - entry.held_out)
        self.held_out = range(len(shapes) - entry.held_out, len(shapes))

    def vertices(self, number: int, copy: int) -> Float[np.ndarray, "v 3"]:
        """Return the vertices of a shape (copy 0) or of one of its copies."""
        vertices = self.meshes[number].vertices
        if copy == 0:
            return vertices
        return posed(vertices, self.entry.deformation, self._random("copy", number, copy - 1))

    def _random(self, what: str, *numbers: int) -> np.random.Generator:
        seed = seed_of(self.seed, "contrastive", what, *map(str, numbers))
        return np.random.Generator(np.random.PCG64(seed))

    def _own(self, number: int, shape: RenderedShape) -> ViewArrays:
        names = ("rgba", "depth", "normal", "face_id", "barycentric")
        views = Views(cameras_of(shape), mask=None, **{name: shape.views[name] for name in names})
        return view_arrays(views, shape.mesh, self._random("points", number))

    def _copied(self, number: int, copy: int) -> ViewArrays:
        mesh = replace(self.meshes[number], vertices=self.vertices(number, copy + 1))
        views = render(mesh, self.cameras, RenderOptions(samples=COPY_SAMPLES))
        return view_arrays(views, mesh, self._random("copy_points", number, copy))

    def example(self, random: np.random.Generator, shapes: range, augment: bool = True) -> Example:
        """Draw a shape, two different views of it or of its copies, and points that both show."""
        for _ in range(1000):
            number = shapes[random.integers(len(shapes))]
            copies = random.integers(len(self.copies), size=2)
            views = random.integers(len(self.cameras), size=2)
            if copies[0] == copies[1] and views[0] == views[1]:
                continue
            found = self._pair(number, copies, views, random, augment)
            if found is not None:
                return found
        raise UserError(
            "multiview_contrastive: hardly any two views show the same points; use more"
        )

    def _pair(self, number, copies, views, random, augment) -> Example | None:
        faces = self.meshes[number].faces
        second = (self.vertices(number, int(copies[1])), faces)
        sides = [self._side(self.copies[c], number) for c in copies]
        joined = ViewArrays.of(sides)
        points = shared_points(joined, (0, int(views[0])), (1, int(views[1])), second, self.cameras)
        pictures, pixels = [], []
        shown = np.ones(len(points.faces), bool)
        for side, (view, own) in enumerate(zip(views, (points.first, points.second), strict=True)):
            picture, moved, inside = self._picture(joined, (side, int(view)), own, random, augment)
            pictures.append(picture)
            pixels.append(moved)
            shown &= inside
        rows = np.flatnonzero(shown)
        if len(rows) < FEWEST:
            return None
        rows = random.permutation(rows)
        rows = np.resize(rows, self.entry.points)
        kept: SharedPoints = points.chosen(rows)
        positions = on_surface(self.meshes[number].vertices, faces, kept.faces, kept.barycentric)
        return Example(torch.stack(pictures), np.stack([p[rows] for p in pixels]), positions)

    def _side(self, views: ViewArrays, number: int) -> ViewArrays:
        part = slice(number, number + 1)
        return ViewArrays(**{name: value[part] for name, value in views.arrays().items()})

    def _picture(self, views: ViewArrays, place, pixels, random, augment):
        rgba = views.rgba[place]
        if not augment:
            alpha = rgba[..., 3:].astype(np.float32) / 255
            plain = rgba[..., :3].astype(np.float32) / 255 * alpha + 1 - alpha
            plain = torch.from_numpy(np.ascontiguousarray(plain.transpose(2, 0, 1)))
            return plain, pixels, np.ones(len(pixels), bool)
        stretch = Stretch.draw(self.entry.size, self.entry.stretch, random)
        picture = stretch.apply(recoloured(rgba, views.material[place], random))
        return picture, *stretch.moved(pixels)


class Contrast:
    """Image encoder on pairs of pictures.

    Args:
        entry: options of the `models` entry.
        materials: rendered shapes, cache, seed.
    """

    def __init__(self, entry, materials: Materials):
        self.entry, self.materials = entry, materials
        self.album = Album(entry, materials)
        backbone = build_backbone(entry.backbone, seed=seed_of(materials.seed, "image_encoder"))
        self.rule: Preprocessing = backbone.spec.preprocessing
        self.networks = {"encoder": backbone.module.to(materials.device)}
        arguments = {"backbone": entry.backbone}
        self.products = (Product("weights.safetensors", type(backbone.module).__name__, arguments),)

    def files(self) -> dict[str, torch.nn.Module]:
        """Return the weights file with what is in it."""
        return {"weights.safetensors": self.networks["encoder"]}

    def _batch(self, what: str, number: int, shapes: range, augment: bool) -> list[Example]:
        seed = seed_of(self.materials.seed, what, str(number))
        random = np.random.Generator(np.random.PCG64(seed))
        return [self.album.example(random, shapes, augment) for _ in range(self.entry.batch)]

    def _features(self, examples: list[Example]) -> Float[Tensor, "2 b p c"]:
        """Return unit features at the points, centred per picture as they are when lifted."""
        device = self.materials.device
        pictures = torch.stack([example.pictures for example in examples], dim=1).to(device)
        mean, std = (
            torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (self.rule.mean, self.rule.std)
        )
        encoder = self.networks["encoder"]
        tokens = encoder((pictures.flatten(0, 1) - mean) / std)
        maps = tokens.patches(encoder.norm(tokens.prenorm)).float()
        pixels = np.stack([example.pixels for example in examples], axis=1)
        grid = torch.from_numpy((pixels / self.entry.size * 2 - 1).astype(np.float32)).to(device)
        rows = F.grid_sample(
            maps, grid.flatten(0, 1)[:, :, None], padding_mode="border", align_corners=False
        )
        rows = rows[..., 0].transpose(1, 2)
        rows = F.normalize(rows - rows.mean(dim=1, keepdim=True), dim=-1)
        return rows.unflatten(0, (2, -1))

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of one batch and the share of points whose best match is near."""
        examples = self._batch("contrastive_batch", step, self.album.train, True)
        first, second = self._features(examples)
        positions = np.stack([example.positions for example in examples])
        distance = distances(torch.from_numpy(positions).float().to(first.device))
        loss, similarity = contrastive_loss(
            first, second, distance, self.entry.temperature, self.entry.sigma
        )
        return loss, {"found": found_share(similarity, distance)}

    def validate(self) -> dict[str, float]:
        """Return how many points of held-out shapes are found in another picture, unaugmented."""
        found = []
        for number in range(-(-64 // self.entry.batch)):
            examples = self._batch("contrastive_check", number, self.album.held_out, False)
            first, second = self._features(examples)
            positions = np.stack([example.positions for example in examples])
            distance = distances(torch.from_numpy(positions).float().to(first.device))
            found.append(found_share(first @ second.transpose(1, 2), distance))
        return {"retrieval": float(np.mean(found))}


def distances(positions: Float[Tensor, "b p 3"]) -> Float[Tensor, "b p p"]:
    """Return distances between all points of a shape."""
    return (positions[:, :, None] - positions[:, None]).square().sum(-1).sqrt()


def contrastive_loss(
    first: Float[Tensor, "b p c"],
    second: Float[Tensor, "b p c"],
    distance: Float[Tensor, "b p p"],
    temperature: float,
    sigma: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, "b p p"]]:
    """Cross-entropy in both directions; points near the right one share its probability.

    Args:
        first: unit features of points in the first picture.
        second: of the same points in the second.
        distance: between the points on the shape.
        temperature: of the softmax over cosines.
        sigma: the target is a Gaussian of the distance with this width.

    Returns:
        Loss and the cosines.
    """
    similarity = first @ second.transpose(1, 2)
    logits = similarity / temperature
    target = torch.exp(-distance.square() / (2 * sigma**2))
    target = target / target.sum(-1, keepdim=True)
    there = -(target * logits.log_softmax(2)).sum(2).mean()
    back = -(target * logits.transpose(1, 2).log_softmax(2)).sum(2).mean()
    return (there + back) / 2, similarity.detach()


def found_share(similarity: Float[Tensor, "b p p"], distance: Float[Tensor, "b p p"]) -> float:
    """Return the share of points whose most similar point lies within `NEAR`."""
    best = similarity.argmax(dim=2, keepdim=True)
    return float((distance.gather(2, best) < NEAR).float().mean())


def cameras_of(shape: RenderedShape) -> Cameras:
    """Return the cameras of a rendered shape."""
    height, width = shape.views["rgba"].shape[1:3]
    return Cameras(shape.views["cam_from_world"], shape.views["intrinsics"], height, width)


objective = Contrast
