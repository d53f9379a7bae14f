"""The measures of one chair and the two curved surfaces, seat and back, that its parts follow."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from semcorr.datasets.shapes.supports import Stand

# backs that stand on two outer posts, and legs that may go on as these posts
POSTED = ("spindles", "vslats", "ladder", "frame", "cross", "splat")
UPRIGHT_LEGS = ("straight", "stretchers")
BUCKET_CORNER = 0.15  # largest share by which the corners of a bucket seat are drawn in


@dataclass(frozen=True)
class Plan:
    """Measures of a chair; metres and radians, Z up, front -Y, the sitter's left +X.

    Attributes:
        legs, back, arms, seat: names of the constructions.
        width, depth: of the seat, the width measured in front.
        rear: width behind as a share of the width in front.
        height: top of the seat above the floor.
        slab: thickness of the whole seat.
        board: thickness of its lower, hard part.
        rake: fall of the seat towards the back, metres per metre.
        dish: depth of the seat's hollow; a bucket's sides and back rise by twice as much.
        back_height: length of the back above the seat.
        tilt: angle by which the back leans backwards.
        half_back: half width of the back, along its curve's chord.
        base: y of the middle of the back at the seat.
        wrap, curve: half opening angle of the back's arc, and how far its sides come forward.
        flare: growth of the back's width from bottom to top, share.
        heel: how far the foot of a shell's back runs forward into the seat.
        back_thick: thickness of panels and cushions of the back.
        bar: thickness of legs and posts.
        splay, leg_rake: see `supports.Stand`.
        square: members are square, not round.
        apron: height of the rails under the seat, 0 = none.
        arm_height: top of the arms above the seat.
        arm_thick: width of arm rests and side panels.
        inset: distance of the legs from the edge of the seat.
    """

    legs: str
    back: str
    arms: str
    seat: str
    width: float
    depth: float
    rear: float
    height: float
    slab: float
    board: float
    rake: float
    dish: float
    back_height: float
    tilt: float
    half_back: float
    base: float
    wrap: float
    curve: float
    flare: float
    heel: float
    back_thick: float
    bar: float
    splay: float
    leg_rake: float
    square: bool
    apron: float
    arm_height: float
    arm_thick: float
    inset: float

    @property
    def round(self) -> bool:
        """The seat is an ellipse."""
        return self.seat == "round"

    @property
    def step(self) -> float:
        """Longest edge that parts should have: about a twentieth of the chair's longest side."""
        back = self.back_height if self.back != "none" else 0.0
        tall, long = self.height + back * np.cos(self.tilt), self.depth + back * np.sin(self.tilt)
        return (0.05 if self.slab < 0.1 else 0.058) * max(tall, long, self.width)

    def half_width(self, y):
        """Half width of the seat's outline at depth y."""
        if self.round:
            return self.width / 2 * np.sqrt(np.clip(1 - (2 * y / self.depth) ** 2, 0, None))
        share = np.clip(y / self.depth + 0.5, 0, 1)
        return self.width / 2 * (1 + (self.rear - 1) * share)

    def on_seat(self, u: float, v: float) -> tuple[float, float]:
        """Point (x, y) of the seat's outline square; u, v in -1..1, u = 1 left, v = 1 behind."""
        if self.round:
            x = u * np.sqrt(1 - v * v / 2) * self.width / 2
            return float(x), float(v * np.sqrt(1 - u * u / 2) * self.depth / 2)
        if self.seat == "bucket":  # its corners are rounded
            u, v = u * (1 - BUCKET_CORNER * v**4), v * (1 - BUCKET_CORNER * u**4)
        y = v * self.depth / 2
        return float(u * self.half_width(y)), float(y)

    def seat_z(self, x, y):
        """Height of the seat's top surface at (x, y)."""
        a, b = 2 * np.asarray(x) / self.width, np.clip(2 * np.asarray(y) / self.depth, -1.05, 1.05)
        z = self.height - self.rake * np.clip(y, -self.depth / 2, self.depth / 2)
        if self.seat == "bucket":
            rise = 2 * a**2 + 1.2 * np.clip(b, 0, None) ** 2 - 1.5 * np.clip(-b - 0.4, 0, None) ** 2
            return z + self.dish * rise
        return z - self.dish * np.clip(1 - a**2, 0, None) * np.clip(1 - b**2, 0, None)

    def to_seat(self, p: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
        """Lay points, z measured from the flat seat's top, onto the seat's surface and outline."""
        x, y, z = p.T
        if not self.round:
            x = x * self.half_width(y) * 2 / self.width
        return np.stack([x, y, z + self.seat_z(x, y)], axis=1)

    def to_back(self, p: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
        """Place points of the unrolled back in space.

        Args:
            p: (v, 3) or (3,): s = along the width (left positive), t = up along the slope from the
                seat, n = forward from the middle of the back.
        """
        p = np.asarray(p, np.float64)
        s, t, n = p[..., 0], p[..., 1], p[..., 2]
        share = t / self.back_height
        half = self.half_back * (1 + self.flare * np.clip(share, 0, 1.2))
        angle = self.wrap * s / self.half_back
        bow = self.curve / (1 - np.cos(self.wrap))
        x = half * np.sin(angle) / np.sin(self.wrap)
        y = self.base - bow * (1 - np.cos(angle))
        seat = self.seat_z(x, y)
        dx = half / np.sin(self.wrap) * np.cos(angle)
        dy = -bow * np.sin(angle)
        length = np.sqrt(dx**2 + dy**2)
        x, y = x + n * dy / length, y - n * dx / length
        y = y + t * np.sin(self.tilt) - self.heel * np.clip(1 - share / 0.4, 0, 1) ** 2
        middle = self.seat_z(0.0, self.base)
        z = seat + (middle - seat) * np.clip(share, 0, 1) + t * np.cos(self.tilt)
        return np.stack([x, y, z], axis=-1)

    @property
    def embed(self) -> float:
        """How far legs, posts and arms reach into the hard part of the seat."""
        return min(0.5 * self.board, 0.02)

    @property
    def foot(self) -> float:
        """Where the back and the arms begin, below the seat's top: inside its hard part."""
        return self.board - self.slab - self.embed

    def stand(self) -> Stand:
        """The room for the legs."""
        u = 1 - 2 * self.inset / self.width
        v = 1 - 2 * self.inset / self.depth
        if self.round:
            u = v = 0.72
        front, rear = self.on_seat(u, -v), self.on_seat(u, v)
        if self.legs in UPRIGHT_LEGS and self.back in POSTED and not self.round:
            x, y, _ = self.to_back(np.array([self.half_back, 0.0, 0.0]))
            rear = (float(x), float(y))  # the rear legs go on as the posts of the back
        return Stand(
            front,
            rear,
            under=lambda x, y: self.seat_z(x, y) - self.slab,
            embed=self.embed,
            half=(self.width / 2, self.depth / 2),
            bar=self.bar,
            splay=self.splay,
            rake=self.leg_rake,
            square=self.square,
            round=self.round,
        )
