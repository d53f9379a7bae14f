"""Trunk, neck, head, tail and legs of a four-legged animal at rest."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.quadruped_plan import Animal

HIP = 0.40  # y of the hip joints; the shoulders lie at -HIP
BACK = np.array([0.0, 1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])


def skeleton(fig: Figure, a: Animal) -> None:
    """Bones of trunk, neck and head, and of the four legs."""
    fig.bone("body", (0.0, HIP, a.joints))
    fig.bone("neck", a.neck_root, "body")
    fig.bone("neck_top", a.neck_root + 0.5 * a.neck * a.neck_way, "neck")
    fig.bone("head", a.poll, "neck_top")
    for end, names in LEG_BONES.items():
        above = "body"
        for name, joint in zip(names, leg_joints(a, end), strict=False):
            fig.bone(name, joint, above)
            above = name


def trunk(fig: Figure, a: Animal) -> None:
    """The body and the keypoints on its back."""
    path = curves.line((0, 0.5, a.legs), (0, -0.5, a.legs), fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    waist = a.waist
    high = a.chest * lofts.smooth(share, (0.82 * waist + 0.1, waist, 0.5 + 0.5 * waist, 1.0, 0.85))
    wide = a.breadth * a.chest * lofts.smooth(share, (0.9, 1.0, 1.05, 1.0, 0.8))
    # a belly that is drawn in rises, the back stays level
    path[:, 2] += 0.5 * (a.chest - high)
    fig.attach(lofts.rounded(path, wide, high, 16, power=a.power, cap=0.55), "body", "coat", "body")
    fig.mark("torso3_top", (0.0, -HIP, a.legs + 1.2 * a.chest), "body")
    fig.mark("torso_top", (0.0, 0.7 * HIP, a.legs + 1.2 * a.chest), "body")


def neck(fig: Figure, a: Animal) -> None:
    """The neck, which bends in its middle."""
    start = a.neck_root - 0.12 * a.neck_way
    path = curves.line(start, a.poll, 0.7 * fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    root, top = a.neck_size * a.chest, 0.8 * a.head_size
    high = lofts.smooth(share, (root, 0.55 * root + 0.45 * top, top))
    solid = lofts.rounded(path, (0.62 + 0.2 * a.breadth) * high, high, 12, cap=0.6)
    along = bend(solid.vertices, a.neck_root, a.neck_way, a.neck)
    fig.attach(solid, "neck", "coat", "neck", "neck_top", along=along)
    above = np.cross(np.array([1.0, 0.0, 0.0]), -a.neck_way)
    fig.mark("neck2_top", a.neck_root + 0.62 * a.neck * a.neck_way + 2 * root * above, "neck")


def bend(points, root, way, length):
    """Place along two bones: 0 up to a quarter of the length, 1 from three quarters on, (v,)."""
    share = (points - root) @ way / length
    return np.clip(2 * share - 0.5, 0.0, 1.0)


def head(fig: Figure, a: Animal) -> None:
    """The skull with the muzzle."""
    size, blunt = a.head_size, a.muzzle * a.head_size
    path = curves.line(a.poll, a.poll + (a.head - 0.8 * blunt) * a.head_way, 0.6 * fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    high = lofts.smooth(share, (0.92 * size, size, 0.55 * size + 0.45 * blunt, 1.02 * blunt, blunt))
    fig.attach(lofts.rounded(path, 0.82 * high, high, 12, cap=0.8), "head", "coat", "head")
    fig.mark("muzzle_tip", a.poll + 1.1 * a.head * a.head_way, "head")


LEG_BONES = {
    "front": ("{}_front_shoulder", "{}_front_upper", "{}_front_lower", "{}_front_foot"),
    "back": ("{}_back_thigh", "{}_back_upper", "{}_back_lower", "{}_back_foot"),
}


def leg_joints(a: Animal, end: str) -> list[np.ndarray]:
    """Joints (3,) of a left leg from the body downwards; the last is the point of the foot."""
    x, top = a.stance, a.joints
    low = (
        min(0.13 * top, 2.4 * a.leg_size) if a.foot != "pad" else min(0.16 * top, 1.5 * a.leg_size)
    )
    reach = {"paw": 2.6, "hoof": 1.3, "pad": 1.0}[a.foot] * a.leg_size
    bent = a.crouch * top
    mid = float(np.clip(a.legs - a.chest, 0.58 * top, 0.72 * top))
    if end == "front":
        wrist = low + 0.5 * (mid - low)
        y = -HIP
        ys, zs = (y, y + 0.08 * bent, y + 0.02 * bent, y + 0.03 * bent), (top, mid, wrist, low)
    else:
        hock = low + 0.36 * (top - low)
        y = HIP
        ys, zs = (y, y - 0.12 * bent, y + 0.11 * bent, y + 0.07 * bent), (top, mid, hock, low)
    joints = [np.array([x, y, z]) for y, z in zip(ys, zs, strict=True)]
    return [*joints, np.array([x, ys[-1] - reach, 0.0])]


def legs(fig: Figure, a: Animal) -> None:
    """Two legs of four pieces each, mirrored."""
    r, big = a.leg_size, a.thigh
    shapes = {
        "front": ((0.8 * big, 0.62 * big, 1.25 * r), (1.18 * r, r), (0.95 * r, 0.85 * r)),
        "back": ((0.95 * big, 0.85 * big, 1.4 * r), (1.32 * r, 1.15 * r, r), (0.95 * r, 0.85 * r)),
    }
    for end, names in LEG_BONES.items():
        joints = leg_joints(a, end)
        for i, radii in enumerate(shapes[end]):
            label = "{}_" + end + ("_upper_leg" if i < 2 else "_lower_leg")
            # the thigh is a flat muscle
            flat = 1.5 if i == 0 else 1.1
            wide = np.array(radii) / flat
            solid = lofts.limb(joints[i], joints[i + 1], wide, 0.7 * fig.step, 12, flat)
            fig.attach_pair(solid, label, "coat", names[i])
        _foot(fig, a, end, joints[-2], joints[-1])
        _mark_leg(fig, a, end, joints)


def _foot(fig: Figure, a: Animal, end: str, ankle, tip) -> None:
    r = a.leg_size
    label = bone = "{}_" + end + "_foot"
    if a.foot == "paw":
        high = 0.5 * ankle[2]
        heel = np.array([ankle[0], ankle[1] + 0.3 * r, 1.0 * high])
        toe = np.array([tip[0], tip[1] + 0.8 * r, 0.8 * high])
        path = curves.line(heel, toe, 0.5 * fig.step)
        share = np.linspace(0.0, 1.0, len(path))
        wide = lofts.smooth(share, (0.95 * r, 1.3 * r, 1.15 * r))
        tall = lofts.smooth(share, (1.35 * high, high, 0.8 * high))
        solid = lofts.rounded(path, wide, tall, 12, power=2.4)
    else:
        flare = {"hoof": (0.85, 0.8, 1.15, 1.3), "pad": (0.95, 1.05, 1.15, 1.15)}[a.foot]
        floor = np.array([tip[0], 0.5 * (ankle[1] + tip[1]), 0.0])
        path = curves.line(ankle, floor, min(fig.step, 0.35 * ankle[2]))
        wide = r * lofts.smooth(np.linspace(0.0, 1.0, len(path)), flare)
        solid = lofts.rounded(path, wide, 1.15 * wide, 12, cap=0.12)
    fig.attach_pair(solid, label, "foot", bone)
    fig.mark_pair(label + "_tip", tip - (0.0, 1.0, 0.0), label.format("left"))


def _mark_leg(fig: Figure, a: Animal, end: str, joints) -> None:
    out = np.array([1.0, 0.0, 0.0])
    if end == "front":
        marks = {"front_upper_leg_outer": (1, "upper"), "front_lower_leg_outer": (2, "lower")}
    else:
        marks = {
            "back_leg_outer": (0, "upper"),
            "back_upper_leg_outer": (1, "upper"),
            "back_lower_leg_outer": (2, "lower"),
        }
    for name, (joint, part) in marks.items():
        label = f"left_{end}_{part}_leg"
        fig.mark_pair("{}_" + name, joints[joint] + a.thigh * out, label)


def tail(fig: Figure, a: Animal) -> None:
    """The tail, which bends along its length."""
    root = np.array([0.0, 0.5 + 0.35 * a.chest * a.waist, a.legs + 0.6 * a.chest])
    root[2] -= 0.15 * a.chest * a.waist
    way, thick = TAILS[a.tail]
    controls = [root - 0.1 * BACK, *(root + a.tail_length * (y * BACK + z * UP) for y, z in way)]
    path = curves.even(curves.bezier(controls, 0.02), 0.6 * fig.step)
    path = path if len(path) > 3 else curves.even(curves.bezier(controls, 0.02), 0.02)
    share = np.linspace(0.0, 1.0, len(path))
    radius = lofts.smooth(share, thick) * (0.6 * a.leg_size + 0.03)
    solid = lofts.rounded(path, radius, radius, 8)
    fig.bone("tail", root, "body")
    fig.bone("tail_end", path[int(0.45 * len(path))], "tail")
    rings = np.repeat(np.clip(np.concatenate([[0, 0], share, [1, 1]]) * 2.2 - 0.6, 0, 1), 8)
    fig.attach(solid, "tail", "coat", "tail", "tail_end", along=np.concatenate([rings, [0.0, 1.0]]))
    end = path[-1] - path[-2]
    end /= np.linalg.norm(end)
    if a.tail == "tuft":
        tuft = lofts.limb(path[-1], path[-1] + 0.12 * end, (0.035, 0.05, 0.02), 0.03, 8)
        fig.attach(tuft, "tail", "foot", "tail_end")
    fig.mark("tail_tip", path[-1] + 0.5 * end, "tail")
    fig.mark("tail1_top", root + 0.06 * BACK + 0.3 * UP, "tail")


# control points (y, z) in shares of the length, and radii from root to tip
TAILS = {
    "thin": (((0.4, 0.3), (0.8, 0.1), (1.0, 0.45)), (1.0, 0.7, 0.5, 0.35)),
    "curl": (((0.6, 0.3), (0.9, 1.3), (0.0, 0.95), (0.1, 0.5)), (1.0, 0.9, 0.8, 0.5)),
    "stub": (((0.5, 0.4), (1.0, 0.3)), (1.2, 1.1, 0.6)),
    "bushy": (((0.5, 0.1), (0.8, -0.4), (1.1, -0.2)), (0.9, 1.9, 2.3, 1.6, 0.4)),
    "horse": (((0.35, 0.2), (0.35, -0.5), (0.3, -1.0)), (0.9, 1.5, 1.7, 1.4, 0.5)),
    "tuft": (((0.25, 0.1), (0.25, -0.5), (0.2, -1.0)), (0.9, 0.55, 0.45, 0.4)),
}
