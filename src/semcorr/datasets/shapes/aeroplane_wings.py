"""Wings and tails of aeroplanes."""

import numpy as np

from semcorr.datasets.shapes import lofts
from semcorr.datasets.shapes.aeroplane_plan import Aeroplane
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.solids import Solid

AFT = np.array([0.0, 1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])


def surface(span, leading, chord, height, thick: float, step: float) -> Solid:
    """A wing from tip to tip, mirror images of each other.

    Args:
        span: whole span.
        leading, chord, height: functions of |x|, (n,) -> (n,).
        thick: thickness as a share of the chord.
    """
    half = np.linspace(0.0, span / 2, max(3, int(np.ceil(span / 2 / step))) + 1)
    x = np.concatenate([-half[:0:-1], half])
    a = np.abs(x)
    c = chord(a)
    centres = np.stack([x, leading(a) + c / 2, height(a)], axis=1)
    sides = 16 if c.max() > 0.3 else 12
    tall = thick * c / 2
    tall[[0, -1]] *= 0.6
    return lofts.loft(centres, AFT, UP, c / 2, tall, lofts.aerofoil(sides))


def panel(root, height: float, chords, sweep: float, thick: float, step: float, lean=0.0) -> Solid:
    """An upright surface, such as a fin.

    Args:
        root: (3,) the front of its lower edge.
        height: its length along its own axis.
        chords: chord below and above.
        sweep: how far the upper leading edge lies behind the lower one.
        lean: outward lean (to +x) in degrees.
    """
    lean = np.radians(lean)
    way = np.array([np.sin(lean), 0.0, np.cos(lean)])
    share = np.linspace(0.0, 1.0, max(3, int(np.ceil(height / step))) + 1)
    c = chords[0] + (chords[1] - chords[0]) * share
    back = sweep * share + c / 2
    centres = np.asarray(root) + height * share[:, None] * way + back[:, None] * AFT
    tall = thick * c / 2
    tall[-1] *= 0.6
    return lofts.loft(centres, AFT, np.cross(way, AFT), c / 2, tall, lofts.aerofoil(12))


def wings(asm: Assembly, a: Aeroplane) -> None:
    """One wing, or several above each other with struts."""
    count = {"two": 2, "three": 3}.get(a.wings, 1)
    gap, stagger = 2.3 * a.radius / (1 if count == 2 else 1.15), -0.25 * a.chord
    for i in range(count):
        shift, lift = i * stagger / max(count - 1, 1), i * gap
        solid = surface(
            a.span * (1 - 0.04 * (count - 1 - i)),
            lambda x, shift=shift: a.leading(x) + shift,
            a.chord_at,
            lambda x, lift=lift: a.wing_height(x) + lift,
            a.thick,
            asm.step,
        )
        asm.add(solid, "wing", "wing")
    if count > 1:
        _struts(asm, a, gap * (count - 1), stagger)
    if a.wings == "high" and a.body == "light":
        _braces(asm, a)
    tip = a.span / 2
    end = a.leading(tip) + a.chord_at(tip) / 2
    asm.mark_pair("wing_{}_tip", (tip, end, a.wing_height(tip) + (count - 1) * gap), "wing")
    # where the wing leaves the body: nothing of it is hidden from there on
    root = 1.1 * a.radius
    for name, share in (("front", 0.0), ("rear", 1.0)):
        y = a.leading(root) + share * a.chord_at(root)
        asm.mark_pair("wing_{}_root_" + name, (root, y, a.wing_height(root)), "wing")


def _struts(asm: Assembly, a: Aeroplane, gap: float, stagger: float) -> None:
    """Upright struts between the lowest and the highest wing."""
    for x in (0.3 * a.span, 0.75 * a.radius):
        for share in (0.3, 0.7):
            y = a.leading(x) + share * a.chord_at(x)
            foot = np.array([x, y, a.wing_height(x)])
            end = foot + (0.0, stagger, gap)
            asm.add_pair(lofts.limb(foot, end, (0.006, 0.006), asm.step, 8), "wing", "trim")


def _braces(asm: Assembly, a: Aeroplane) -> None:
    """One strut a side from the belly to the wing."""
    x = 0.27 * a.span
    y = a.leading(x) + 0.35 * a.chord_at(x)
    foot = np.array([0.75 * a.breadth * a.radius, y, -0.6 * float(a.half_height(y))])
    end = (x, y, a.wing_height(x))
    normal = (0.0, 1.0, 0.0)
    asm.add_pair(lofts.limb(foot, end, (0.007, 0.007), asm.step, 8, 0.6, normal), "wing", "trim")


def tail(asm: Assembly, a: Aeroplane) -> None:
    """Stabiliser and fin, or what takes their place."""
    TAILS[a.tail](asm, a)


def _stabiliser(asm: Assembly, a: Aeroplane, front: float, level: float, sweep=None) -> float:
    """A horizontal tail; returns the chord at its root."""
    sweep = min(a.sweep, 38) * 0.9 + 4 if sweep is None else sweep
    root = 0.36 * a.tail_span
    slope = np.tan(np.radians(sweep))
    half = a.tail_span / 2
    solid = surface(
        a.tail_span,
        lambda x: front + slope * x,
        lambda x: root * (1 - 0.5 * x / half),
        lambda x: level + 0.05 * x,
        0.1,
        asm.step,
    )
    asm.add(solid, "tail", "wing")
    end = np.array([half, front + slope * half + 0.25 * root, level + 0.05 * half])
    asm.mark_pair("stabiliser_{}_tip", end, "tail")
    return root


def _fin(asm: Assembly, a: Aeroplane, lift: float = 0.0) -> np.ndarray:
    """A fin on the rear of the body; returns the front of its upper edge (3,)."""
    root, slope = 0.95 * a.fin, 0.55 + 0.008 * max(a.sweep, 0)
    y = 0.47 - root
    z = float(a.middle(y + root / 2)) + 0.15 * float(a.half_height(y + root / 2)) + lift
    high = a.fin + float(a.half_height(y))
    chords = (root, 0.5 * root)
    sweep = slope * high * 0.8
    asm.add(panel((0.0, y, z), high, chords, sweep, 0.1, asm.step), "tail", "wing")
    top = np.array([0.0, y + sweep, z + high])
    asm.mark("fin_top", top + (0.0, 0.5 * chords[1], 0.1), "tail")
    return top


def low(asm: Assembly, a: Aeroplane) -> None:
    """Stabiliser at the body's height, one fin."""
    _fin(asm, a)
    front = 0.47 - 0.36 * a.tail_span
    _stabiliser(asm, a, front, float(a.middle(front + 0.1)))


def high(asm: Assembly, a: Aeroplane) -> None:
    """Stabiliser on top of the fin, like a T."""
    top = _fin(asm, a)
    _stabiliser(asm, a, top[1] - 0.02, top[2] - 0.008)


def fin(asm: Assembly, a: Aeroplane) -> None:
    """A fin alone: the wing does the rest."""
    _fin(asm, a)


def canard(asm: Assembly, a: Aeroplane) -> None:
    """A fin behind, the stabiliser before the wing."""
    _fin(asm, a)
    _stabiliser(asm, a, a.place - 0.42 * a.tail_span, 0.25 * a.radius, 38)


def twin(asm: Assembly, a: Aeroplane) -> None:
    """Two leaning fins on the body and a stabiliser."""
    root = 0.95 * a.fin
    x, y = 0.6 * a.breadth * float(a.half_height(0.4)), 0.44 - root
    solid = panel((x, y, 0.3 * a.radius), a.fin + 0.3 * a.radius, (root, 0.5 * root), 0.6 * a.fin,
                  0.09, asm.step, 14)  # fmt: skip
    asm.add_pair(solid, "tail", "wing")
    asm.mark_corner("fin_{}_top", (0.02, 0.1, 1.0), "tail")
    _stabiliser(asm, a, 0.47 - 0.33 * a.tail_span, 0.0)


def vee(asm: Assembly, a: Aeroplane) -> None:
    """Two surfaces like a V."""
    root = 0.42 * a.tail_span
    y = 0.46 - root
    level = float(a.middle(y + root / 2))
    length = 0.58 * a.tail_span
    solid = panel((0.0, y, level), length, (root, 0.55 * root), 0.3 * length, 0.1, asm.step, 52)
    asm.add_pair(solid, "tail", "wing")
    lean = np.radians(52)
    end = np.array([np.sin(lean), 0.0, np.cos(lean)]) * length
    asm.mark_pair("stabiliser_{}_tip", end + (0.0, y + 0.4 * length + 0.2 * root, level), "tail")


def ends(asm: Assembly, a: Aeroplane) -> None:
    """A fin on either end of the stabiliser."""
    front = 0.47 - 0.36 * a.tail_span
    level = float(a.middle(front + 0.1)) + 0.1 * a.radius
    root = _stabiliser(asm, a, front, level, 6)
    half, chord = a.tail_span / 2, 0.75 * root
    y = front + 0.1 * half - 0.12 * chord
    z = level + 0.05 * half - 0.35 * a.fin
    solid = panel((0.97 * half, y, z), a.fin, (chord, 0.75 * chord), 0.2 * chord, 0.1, asm.step)
    asm.add_pair(solid, "tail", "wing")
    asm.mark_pair("fin_{}_top", (half, y + 0.6 * chord, z + a.fin + 0.1), "tail")


TAILS = {f.__name__: f for f in (low, high, fin, canard, twin, vee, ends)}
