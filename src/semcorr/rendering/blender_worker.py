# SPDX-License-Identifier: GPL-3.0-or-later
#
# This file is part of semcorr's Blender worker. It is free software: you can redistribute it and/or
# modify it under the terms of the GNU General Public License as published by the Free Software
# Foundation, either version 3 of the License, or (at your option) any later version. It is
# distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the
# implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General
# Public License for more details: <https://www.gnu.org/licenses/>.
"""Render shapes with Blender's Cycles, as a program of its own.

It is the only file that imports bpy; it imports nothing of semcorr and is never imported by it.

    python blender_worker.py --version            one JSON line: Blender's version
    python blender_worker.py request.json         renders every item of {"items": [...]}
    python blender_worker.py -                    one item as JSON per line of standard input
    blender -b --factory-startup -P blender_worker.py -- (the same arguments)

An item: {"name", "geometry": path of an .npz, "out": folder, "width", "height", "samples",
"bounces": {...}, "lights": {...}, "look": {...}, "device", "threads", "seed", "denoise", "passes"}.
The .npz holds vertices, faces, corner_normals, face_materials, base_colors (linear), textured (bool
per material), texture_<i> (uint8, row 0 = top), optional corner_uvs and corner_colors (linear), and
per view world_from_cam (OpenGL axes) and intrinsics. Written: {view:03d}.png (RGBA, 8 bits,
transparent film) and, with passes, {view:03d}.exr (multilayer: Combined, Depth, Normal).

Every event is one JSON line on standard output: ready, view, done, error. All that Blender itself
prints goes to standard error.
"""

import json
import os
import sys
import time

# Raised by hand when the pictures that Blender is told to make change
VERSION = 2
SENSOR_MM = 32.0
CLIP = (0.01, 1000.0)
# faults that the tests ask for, "crash:<item name>" or "hang:<item name>"
FAULT_VARIABLE = "SEMCORR_TEST_BLENDER_FAULT"


class Events:
    """JSON lines to whoever started the program, on the original standard output."""

    def __init__(self):
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        sys.stdout.flush()
        os.dup2(2, 1)  # Blender writes its own progress to descriptor 1

    def send(self, event, **fields):
        """Write one event and flush it."""
        self._stream.write(json.dumps({"event": event, **fields}) + "\n")
        self._stream.flush()


def arguments(argv):
    """The program's own arguments: behind `--` where Blender started it."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


def clean_scene(bpy):
    """Forget everything of the item before, data blocks and preferences included."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


def image_of(bpy, name, pixels):
    """An sRGB picture from (h, w, 4) uint8 with row 0 = top (Blender's row 0 is the bottom)."""
    import numpy as np

    height, width = pixels.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.alpha_mode = "CHANNEL_PACKED"  # colours must not be weighted with alpha
    image.pixels.foreach_set((pixels[::-1].astype(np.float32) / 255.0).ravel())
    image.update()
    image.pack()
    return image


def material_of(bpy, index, data):
    """A diffuse material: base colour x texture x corner colours, multiplied in linear light."""
    material = bpy.data.materials.new(f"material_{index}")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    factors = []
    if data["textured"][index] and "corner_uvs" in data:
        texture = nodes.new("ShaderNodeTexImage")
        texture.image = image_of(bpy, f"texture_{index}", data[f"texture_{index}"])
        texture.interpolation, texture.extension = "Linear", "REPEAT"
        factors.append(texture.outputs["Color"])
    if "corner_colors" in data:
        attribute = nodes.new("ShaderNodeAttribute")
        attribute.attribute_name = "corner_colors"
        factors.append(attribute.outputs["Color"])
    base = nodes.new("ShaderNodeRGB")
    base.outputs[0].default_value = (*(float(c) for c in data["base_colors"][index][:3]), 1.0)
    colour = base.outputs[0]
    for factor in factors:
        product = nodes.new("ShaderNodeVectorMath")
        product.operation = "MULTIPLY"
        links.new(colour, product.inputs[0])
        links.new(factor, product.inputs[1])
        colour = product.outputs[0]
    links.new(colour, diffuse.inputs["Color"])
    return material


def add_mesh(bpy, scene, data):
    """The shape as one object with its materials, texture coordinates, colours and normals."""
    import numpy as np

    vertices, faces = data["vertices"], data["faces"]
    count = len(faces)
    mesh = bpy.data.meshes.new("shape")
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", data["face_materials"].astype(np.int32))
    mesh.update(calc_edges=True)
    if "corner_uvs" in data:
        layer = mesh.uv_layers.new(name="corner_uvs")
        layer.uv.foreach_set("vector", data["corner_uvs"].astype(np.float32).ravel())
    if "corner_colors" in data:
        layer = mesh.color_attributes.new("corner_colors", "FLOAT_COLOR", "CORNER")
        layer.data.foreach_set("color", data["corner_colors"].astype(np.float32).ravel())
    mesh.polygons.foreach_set("use_smooth", np.ones(count, dtype=bool))
    mesh.normals_split_custom_set(data["corner_normals"].reshape(-1, 3).tolist())
    for index in range(len(data["base_colors"])):
        mesh.materials.append(material_of(bpy, index, data))
    scene.collection.objects.link(bpy.data.objects.new("shape", mesh))


def add_lights(bpy, scene, lights):
    """Point and area lamps and a grey surrounding; lamps look along -Z unless turned."""
    for index, spec in enumerate(lights["lamps"]):
        lamp = bpy.data.lights.new(f"lamp_{index}", spec["kind"].upper())
        lamp.energy = spec["watts"]
        if spec["kind"] == "area":
            lamp.shape, lamp.size = "SQUARE", spec["size"]
        lamp.use_shadow = lights["shadows"]
        lamp_object = bpy.data.objects.new(f"lamp_{index}", lamp)
        lamp_object.location = spec["position"]
        scene.collection.objects.link(lamp_object)
    world = bpy.data.worlds.new("surrounding")
    world.use_nodes = True
    level = lights["ambient"]
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (level, level, level, 1.0)
    scene.world = world


def use_device(bpy, scene, device):
    """Choose CPU or GPU; `auto` takes a GPU where Cycles finds one. Returns the name used."""
    scene.cycles.device = "CPU"
    if device == "cpu":
        return "cpu"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in ("OPTIX", "CUDA"):
        try:
            preferences.compute_device_type = kind
        except TypeError:  # this build of Cycles has no such kind
            continue
        preferences.get_devices()
        found = [entry for entry in preferences.devices if entry.type == kind]
        if found:
            for entry in preferences.devices:
                entry.use = entry.type == kind
            scene.cycles.device = "GPU"
            return kind.lower()
    if device == "cuda":
        raise LookupError("Cycles finds no CUDA or OptiX device")
    return "cpu"


def set_up_render(bpy, scene, item):
    """Cycles as HNSR's published script sets it, with what the item asks for."""
    render, cycles, bounces, look = scene.render, scene.cycles, item["bounces"], item["look"]
    render.engine = "CYCLES"
    used = use_device(bpy, scene, item["device"])
    render.threads_mode, render.threads = "FIXED", item["threads"]
    render.resolution_x, render.resolution_y = item["width"], item["height"]
    render.resolution_percentage = 100
    render.film_transparent = True
    render.dither_intensity = 0.0
    render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = False
    cycles.samples, cycles.use_adaptive_sampling = item["samples"], False
    cycles.seed = item["seed"]
    # With a few lights the tree that picks one costs a tenth of the time and gains nothing
    cycles.use_light_tree = False
    cycles.use_denoising = item["denoise"]
    if item["denoise"]:
        # without a prefilter it costs a third of a 256 px, 16 sample view instead of twice as much,
        # for the same error against a picture of 1024 samples
        cycles.denoiser, cycles.denoising_prefilter = "OPENIMAGEDENOISE", "NONE"
        cycles.denoising_quality, cycles.denoising_use_gpu = "BALANCED", False
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 1.0
    cycles.diffuse_bounces, cycles.glossy_bounces = bounces["diffuse"], bounces["glossy"]
    cycles.transparent_max_bounces = bounces["transparent"]
    cycles.transmission_bounces = bounces["transmission"]
    scene.display_settings.display_device = "sRGB"
    scene.view_settings.view_transform = look["view_transform"]
    scene.view_settings.look = "None"
    scene.view_settings.exposure, scene.view_settings.gamma = look["exposure"], 1.0
    layer = bpy.context.view_layer
    layer.use_pass_combined = True
    layer.use_pass_z = layer.use_pass_normal = item["passes"]
    return used


def place_camera(bpy, scene, world_from_cam, intrinsics):
    """Give the scene's camera one view's pose (OpenGL axes) and pixel intrinsics."""
    import mathutils

    width, height = scene.render.resolution_x, scene.render.resolution_y
    fx, fy = float(intrinsics[0][0]), float(intrinsics[1][1])
    cx, cy = float(intrinsics[0][2]), float(intrinsics[1][2])
    if scene.camera is None:
        camera = bpy.data.cameras.new("camera")
        scene.camera = bpy.data.objects.new("camera", camera)
        scene.collection.objects.link(scene.camera)
    camera = scene.camera.data
    camera.type, camera.sensor_fit = "PERSP", "HORIZONTAL"
    camera.sensor_width, camera.lens = SENSOR_MM, fx * SENSOR_MM / width
    camera.clip_start, camera.clip_end = CLIP
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = max(1.0, fy / fx), max(1.0, fx / fy)
    camera.shift_x = (width / 2.0 - cx) / width
    camera.shift_y = (cy - height / 2.0) * (fx / fy) / width
    scene.camera.matrix_world = mathutils.Matrix(
        [[float(v) for v in row] for row in world_from_cam]
    )


def write_view(bpy, scene, stem, passes):
    """Render once and save what was asked for."""
    bpy.ops.render.render(write_still=False)
    picture, settings = bpy.data.images["Render Result"], scene.render.image_settings
    try:
        settings.file_format, settings.color_mode = "PNG", "RGBA"
        settings.color_depth, settings.compression = "8", 15
        picture.save_render(stem + ".png", scene=scene)
        if passes:
            settings.file_format, settings.color_depth = "OPEN_EXR_MULTILAYER", "32"
            settings.exr_codec = "ZIP"
            picture.save_render(stem + ".exr", scene=scene)
    except RuntimeError as error:  # a full or missing disk is not the shape's fault
        raise OSError(str(error)) from error


def provoke_fault(name):
    """Crash or hang where a test of the session asks for it through the environment."""
    kind, _, wanted = os.environ.get(FAULT_VARIABLE, "").partition(":")
    if wanted and wanted == name:
        if kind == "crash":
            os.abort()
        time.sleep(3600)


def render_item(bpy, item, events):
    """Render all views of one item, with one event per view."""
    import numpy as np

    provoke_fault(item["name"])
    with np.load(item["geometry"], allow_pickle=False) as archive:
        data = {key: archive[key] for key in archive.files}
    scene = clean_scene(bpy)
    add_mesh(bpy, scene, data)
    add_lights(bpy, scene, item["lights"])
    used = set_up_render(bpy, scene, item)
    views = len(data["world_from_cam"])
    for view in range(views):
        start, cpu_start = time.perf_counter(), time.process_time()
        place_camera(bpy, scene, data["world_from_cam"][view], data["intrinsics"][view])
        write_view(bpy, scene, os.path.join(item["out"], f"{view:03d}"), item["passes"])
        seconds = round(time.perf_counter() - start, 3)
        cpu_seconds = round(time.process_time() - cpu_start, 3)
        events.send(
            "view",
            item=item["name"],
            view=view + 1,
            of=views,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
        )
    events.send("done", item=item["name"], views=views, device=used)


def requested_items(argument):
    """Items of a request file, or of standard input as long as it is open."""
    if argument == "-":
        for line in iter(sys.stdin.readline, ""):
            if line.strip():
                yield json.loads(line)
        return
    with open(argument, encoding="utf-8") as stream:
        yield from json.load(stream)["items"]


def main():
    """Read the arguments, load Blender, work through the items; the exit code says if all went."""
    events = Events()
    asked = arguments(sys.argv)
    if len(asked) != 1:
        events.send("error", item=None, kind="Usage", message="expected one argument, see the file")
        return 2
    try:
        import bpy
    except ImportError as error:
        events.send("error", item=None, kind="ImportError", message=str(error))
        return 3
    if asked[0] == "--version":
        events.send("version", version=bpy.app.version_string)
        return 0
    events.send("ready", version=bpy.app.version_string)
    failures = 0
    for item in requested_items(asked[0]):
        try:
            render_item(bpy, item, events)
        except Exception as error:
            failures += 1
            code = getattr(error, "errno", None)
            kind = "OSError" if isinstance(error, OSError) else type(error).__name__
            events.send("error", item=item["name"], kind=kind, message=str(error), errno=code)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
