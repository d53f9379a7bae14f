// One half of the page: a shape in its own canvas, turned by orbit controls, drawn when something changed.
import {
  BufferAttribute,
  BufferGeometry,
  DirectionalLight,
  DoubleSide,
  HemisphereLight,
  Mesh,
  MeshLambertMaterial,
  PerspectiveCamera,
  Raycaster,
  Scene,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { Dots } from "./dots.js";

const FIELD_OF_VIEW = 26; // degrees, vertical
const MARGIN = 0.88; // part of the canvas that a shape fills at home
// world frame of the data: Z up, front -Y; seen from the front, a little from its left and above
const HOME = new Vector3(0.55, -1, 0.42).normalize();

// sRGB byte -> linear 16 bit, because vertex colours are light to three.js
const LINEAR = Uint16Array.from({ length: 256 }, (_, byte) => {
  const c = byte / 255;
  return Math.round(65535 * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
});

function cornerPositions(shape) {
  const corners = new Float32Array(shape.faces.length * 3);
  shape.faces.forEach((vertex, corner) => {
    for (let axis = 0; axis < 3; axis++) corners[3 * corner + axis] = shape.positions[3 * vertex + axis];
  });
  return corners;
}

export class View {
  constructor(canvas, shape) {
    this.canvas = canvas;
    this.shape = shape;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.01, 100);
    this.camera.up.set(0, 0, 1);
    this.scene = this.#scene();
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = true;
    this.controls.dampingFactor = 0.18;
    this.controls.minDistance = 0.05;
    this.controls.maxDistance = 20;
    this.controls.addEventListener("change", () => this.invalidate());
    this.onframe = () => {};
    this.pending = false;
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement);
  }

  #scene() {
    const scene = new Scene();
    scene.add(new HemisphereLight(0xffffff, 0x9a9aa6, 2.1));
    const key = new DirectionalLight(0xffffff, 1.8);
    key.position.set(-0.6, 0.9, 1); // camera frame: over the left shoulder
    key.target.position.set(0, 0, -1);
    this.camera.add(key, key.target);
    scene.add(this.camera);

    this.geometry = new BufferGeometry();
    this.geometry.setAttribute("position", new BufferAttribute(cornerPositions(this.shape), 3));
    const colours = new Uint16Array(4 * this.shape.faces.length).fill(65535);
    this.geometry.setAttribute("color", new BufferAttribute(colours, 4, true));
    this.mesh = new Mesh(
      this.geometry,
      new MeshLambertMaterial({ vertexColors: true, flatShading: true, side: DoubleSide }),
    );
    this.keypoints = new Dots(14);
    this.marks = new Dots(20);
    scene.add(this.mesh, this.keypoints, this.marks);
    return scene;
  }

  // colours: (v, 3) bytes, or with perFace (f, 3) bytes.
  paint(colours, perFace) {
    const attribute = this.geometry.getAttribute("color");
    const { faces } = this.shape;
    for (let corner = 0; corner < faces.length; corner++) {
      const row = 3 * (perFace ? (corner / 3) | 0 : faces[corner]);
      for (let c = 0; c < 3; c++) attribute.array[4 * corner + c] = LINEAR[colours[row + c]];
    }
    attribute.needsUpdate = true;
    this.invalidate();
  }

  // -> distance along HOME at which every corner of a face is inside the canvas, with a margin.
  fittingDistance() {
    const { positions, faces } = this.shape;
    const right = new Vector3(0, 0, 1).cross(HOME).normalize();
    const up = HOME.clone().cross(right);
    const tangent = Math.tan((FIELD_OF_VIEW * Math.PI) / 360) * MARGIN;
    const point = new Vector3();
    let distance = 0.5;
    for (const vertex of faces) {
      point.fromArray(positions, 3 * vertex);
      const across = Math.abs(point.dot(right)) / this.camera.aspect;
      const reach = Math.max(across, Math.abs(point.dot(up))) / tangent;
      distance = Math.max(distance, point.dot(HOME) + reach);
    }
    return distance;
  }

  home(distance) {
    this.#place(HOME.clone().multiplyScalar(distance), new Vector3());
  }

  follow(other) {
    this.#place(other.camera.position, other.controls.target);
  }

  #place(position, target) {
    // without damping an update forgets what is left of the last turn
    this.controls.enableDamping = false;
    this.controls.update();
    this.controls.enableDamping = true;
    this.camera.position.copy(position);
    this.controls.target.copy(target);
    this.controls.update();
    this.invalidate();
  }

  // -> vertex index under the pointer (the nearest corner of the face that is hit), or -1.
  pick(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = new Vector2(
      (2 * (event.clientX - box.left)) / box.width - 1,
      1 - (2 * (event.clientY - box.top)) / box.height,
    );
    const caster = new Raycaster();
    caster.setFromCamera(at, this.camera);
    const hit = caster.intersectObject(this.mesh)[0];
    if (!hit) return -1;
    let best = -1;
    let smallest = Infinity;
    for (let k = 0; k < 3; k++) {
      const vertex = this.shape.faces[3 * hit.faceIndex + k];
      const distance = hit.point.distanceToSquared(this.position(vertex));
      if (distance < smallest) [smallest, best] = [distance, vertex];
    }
    return best;
  }

  position(vertex) {
    return new Vector3().fromArray(this.shape.positions, 3 * vertex);
  }

  // -> position of a point on the page, in pixels of the canvas' box.
  project(point) {
    const { clientWidth, clientHeight } = this.canvas;
    const p = point.clone().project(this.camera);
    return { x: ((p.x + 1) / 2) * clientWidth, y: ((1 - p.y) / 2) * clientHeight };
  }

  mark(vertices, colours) {
    this.marks.set(vertices.flatMap((v) => this.position(v).toArray()), colours);
    this.invalidate();
  }

  invalidate() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.controls.update(); // damping: invalidates again while it still moves
      this.renderer.render(this.scene, this.camera);
      this.onframe();
    });
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    if (!clientWidth || !clientHeight) return;
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    this.camera.updateProjectionMatrix();
    this.invalidate();
  }
}
