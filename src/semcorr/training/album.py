"""Pictures of training shapes and of copies in other proportions, and pairs of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr.cameras import Cameras
from semcorr.errors import UserError
from semcorr.rendering.interface import RenderOptions, Views
from semcorr.rendering.normals import face_normals
from semcorr.rendering.raycast import render
from semcorr.seeds import seed_of
from semcorr.store.items import Arrays
from semcorr.training.deformation import posed
from semcorr.training.materials import Materials, RenderedShape
from semcorr.training.pictures import Stretch, on_white, recoloured
from semcorr.training.view_pairs import ViewArrays, on_surface, shared_points, view_arrays

# Fewer shared points teach little; such a pair of views is drawn again
FEWEST = 24
COPY_SAMPLES = 4
# What is read of the render stores
PICTURE_ARRAYS = ("rgba", "depth", "face_id", "barycentric")
CAMERA_ARRAYS = ("cam_from_world", "intrinsics")


@dataclass(frozen=True)
class Example:
    """One pair of pictures of one shape; the first p of n points per picture are shown by both.

    Attributes:
        pictures: (2, 3, s, s) RGB in 0..1.
        pixels: (2, n, 2) where each picture shows its points.
        positions: (2, n, 3) of the points on the original shape; rows 0..p-1 are equal.
        upness: (2, n) absolute height component of the surface normal there.
    """

    pictures: Float[Tensor, "2 3 s s"]
    pixels: Float[np.ndarray, "2 n 2"]
    positions: Float[np.ndarray, "2 n 3"]
    upness: Float[np.ndarray, "2 n"]


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
            raise UserError("multiview_contrastive needs `datasets` and `render`")
        shapes = materials.rendered()
        first = shapes[0].views(("rgba", *CAMERA_ARRAYS))
        size = first["rgba"].shape[1]
        if size != entry.size:
            raise UserError(f"size: {entry.size} does not fit the rendered pictures of {size}")
        if len(shapes) <= entry.held_out:
            raise UserError(
                f"held_out: {entry.held_out} of {len(shapes)} rendered shapes leaves none to train on"
            )
        self.meshes = [shape.mesh for shape in shapes]
        self.cameras = cameras_of(first)
        own = ViewArrays.of([self._own(n, shape) for n, shape in enumerate(shapes)])
        self.copies = [own]
        for copy in range(entry.copies):

            def rows(numbers: range, copy=copy) -> dict[str, np.ndarray]:
                return ViewArrays.of([self._copied(n, copy) for n in numbers]).arrays()

            found = materials.cached(f"copy_{copy}", len(shapes), rows, False)
            self.copies.append(ViewArrays(**found))
        # Spread over the ids: shapes of one category lie together
        held_out = np.linspace(0, len(shapes) - 1, entry.held_out).round().astype(int)
        self.held_out = held_out.tolist()
        self.train = np.setdiff1d(np.arange(len(shapes)), held_out).tolist()

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
        arrays = shape.views(PICTURE_ARRAYS + CAMERA_ARRAYS)
        pictures = {name: arrays[name] for name in PICTURE_ARRAYS}
        views = Views(cameras_of(arrays), mask=None, normal=None, **pictures)
        return view_arrays(views, shape.mesh, self._random("points", number))

    def _copied(self, number: int, copy: int) -> ViewArrays:
        mesh = replace(self.meshes[number], vertices=self.vertices(number, copy + 1))
        views = render(mesh, self.cameras, RenderOptions(samples=COPY_SAMPLES))
        return view_arrays(views, mesh, self._random("copy_points", number, copy))

    def example(
        self, random: np.random.Generator, shapes: Sequence[int], augment: bool = True
    ) -> Example:
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
        joined = ViewArrays.of([self._side(self.copies[c], number) for c in copies])
        places = [(side, int(view)) for side, view in enumerate(views)]
        shared = shared_points(joined, *places, second, self.cameras)
        seen = [self._picture(joined, p, random, augment) for p in places]
        moved = [seen[0].moved(shared.first), seen[1].moved(shared.second)]
        rows = np.flatnonzero(moved[0][1] & moved[1][1])
        if len(rows) < FEWEST:
            return None
        rows = np.resize(random.permutation(rows), self.entry.points)
        sides = []
        for picture, (pixels, _), place_of in zip(seen, moved, places, strict=True):
            own = self._others(joined, place_of, picture, random)
            sides.append(
                (
                    np.concatenate([pixels[rows], own[0]]),
                    np.concatenate([shared.faces[rows], own[1]]),
                    np.concatenate([shared.barycentric[rows], own[2]]),
                )
            )
        mesh = self.meshes[number]
        return Example(
            torch.stack([picture.picture for picture in seen]),
            np.stack([side[0] for side in sides]),
            np.stack([on_surface(mesh.vertices, faces, side[1], side[2]) for side in sides]),
            np.stack([np.abs(face_normals(mesh.triangles[side[1]])[:, 2]) for side in sides]),
        )

    def _others(self, views: ViewArrays, place_of, picture: "Picture", random):
        """Draw further points of one picture, whether the other shows them or not."""
        kept = np.flatnonzero(views.faces[place_of] >= 0)
        pixels, inside = picture.moved(views.pixels[place_of][kept] + 0.5)
        rows = np.resize(random.permutation(np.flatnonzero(inside)), self.entry.others)
        chosen = kept[rows]
        return (
            pixels[rows],
            views.faces[place_of][chosen],
            views.barycentric[place_of][chosen].astype(np.float64),
        )

    def _side(self, views: ViewArrays, number: int) -> ViewArrays:
        part = slice(number, number + 1)
        return ViewArrays(**{name: value[part] for name, value in views.arrays().items()})

    def _picture(self, views: ViewArrays, place_of, random, augment) -> "Picture":
        rgba = views.rgba[place_of]
        if not augment:
            return Picture(on_white(rgba), None)
        stretch = Stretch.draw(self.entry.size, self.entry.stretch, random)
        recolour = recoloured(rgba, views.material[place_of], random)
        return Picture(stretch.apply(recolour), stretch)


@dataclass(frozen=True)
class Picture:
    """A picture as the network sees it.

    Attributes:
        picture: (3, s, s) RGB in 0..1.
        stretch: how it was resampled, None = not at all.
    """

    picture: Float[Tensor, "3 s s"]
    stretch: Stretch | None

    def moved(self, pixels: Float[np.ndarray, "p 2"]):
        """Return where pixels of the rendering lie in the picture, and whether they are in it."""
        if self.stretch is None:
            return pixels, np.ones(len(pixels), bool)
        return self.stretch.moved(pixels)


def cameras_of(views: Arrays) -> Cameras:
    """Return the cameras of a rendered shape's arrays (`rgba` and CAMERA_ARRAYS are read)."""
    height, width = views["rgba"].shape[1:3]
    return Cameras(views["cam_from_world"], views["intrinsics"], height, width)
