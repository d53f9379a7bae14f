// Dots of constant size on the screen, drawn over the surface they lie on: keypoints and marks.
import { BufferAttribute, BufferGeometry, Color, Group, Points, ShaderMaterial } from "three";

const VERTEX = `
  attribute vec3 color;
  uniform float size;
  varying vec3 tint;
  void main() {
    tint = color;
    gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
    // pulled towards the camera, so that the surface does not cut the disc in half
    gl_Position.z -= 0.004 * gl_Position.w;
    gl_PointSize = size;
  }`;

// disc | light ring | dark rim, each with a soft edge of one pixel
const FRAGMENT = `
  uniform float size;
  uniform float opacity;
  varying vec3 tint;
  void main() {
    float radius = length(gl_PointCoord - 0.5) * size;
    float outer = 0.5 * size - 1.0;
    float rim = outer - 1.5;
    float ring = rim - 0.12 * size;
    vec3 shade = mix(tint, vec3(1.0), smoothstep(ring - 0.5, ring + 0.5, radius));
    shade = mix(shade, vec3(0.06), smoothstep(rim - 0.5, rim + 0.5, radius));
    float alpha = 1.0 - smoothstep(outer - 1.0, outer, radius);
    if (alpha <= 0.0) discard;
    gl_FragColor = vec4(shade, alpha * opacity);
  }`;

function material(size, opacity, depthTest) {
  return new ShaderMaterial({
    vertexShader: VERTEX,
    fragmentShader: FRAGMENT,
    uniforms: { size: { value: size }, opacity: { value: opacity } },
    transparent: true,
    depthTest,
    depthWrite: false,
  });
}

// A group of dots: solid where visible, faint where the surface hides them.
export class Dots extends Group {
  constructor(pixels) {
    super();
    const size = pixels * Math.min(window.devicePixelRatio || 1, 2);
    this.geometry = new BufferGeometry();
    for (const [opacity, depthTest, order] of [[0.28, false, 1], [1, true, 2]]) {
      const points = new Points(this.geometry, material(size, opacity, depthTest));
      points.renderOrder = order;
      points.frustumCulled = false;
      this.add(points);
    }
    this.visible = false;
  }

  // positions: flat array of x, y, z; colours: CSS colours, one per point.
  set(positions, colours) {
    const count = positions.length / 3;
    const tint = new Float32Array(positions.length);
    // this shader writes to the screen directly: keep sRGB values as they are
    colours.forEach((colour, i) => new Color(colour).convertLinearToSRGB().toArray(tint, 3 * i));
    this.geometry.setAttribute("position", new BufferAttribute(new Float32Array(positions), 3));
    this.geometry.setAttribute("color", new BufferAttribute(tint, 3));
    this.geometry.setDrawRange(0, count);
    this.visible = count > 0;
  }
}
