// Reads what page.py embedded: one JSON element and one base64 element per array.

const TYPES = { f4: Float32Array, u4: Uint32Array, i4: Int32Array, u1: Uint8Array };

function decode(id, type) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`array ${id} is missing from this page`);
  const text = atob(element.textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  element.remove(); // the decoded copy is enough
  return new TYPES[type](bytes.buffer);
}

// -> {meta, source, target, targetToSource, confidence}; every array spec {id, type} is replaced by
// its typed array.
export function readPage() {
  const resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    if (typeof value.array === "string") return decode(value.array, value.type);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
  };
  return resolve(JSON.parse(document.getElementById("page-data").textContent));
}

// Answers "which point of the other shape is this one": exact from target to source; from source to
// target the most confident of the targets that map there, else the target whose match lies nearest.
export class Correspondence {
  constructor(page) {
    this.page = page;
    const map = page.targetToSource;
    const sources = page.source.positions.length / 3;
    // counting sort of target indices by their source: targets of s are order[start[s]..start[s+1])
    this.start = new Uint32Array(sources + 1);
    for (const s of map) if (s >= 0) this.start[s + 1]++;
    for (let s = 0; s < sources; s++) this.start[s + 1] += this.start[s];
    this.order = new Uint32Array(this.start[sources]);
    const next = this.start.slice();
    for (let t = 0; t < map.length; t++) if (map[t] >= 0) this.order[next[map[t]]++] = t;
  }

  // -> {source, target, confidence, shared, apart}; source or target is -1 where there is no match.
  // shared: number of target vertices with this source. apart: distance (fraction of the longest
  // side) between the clicked source vertex and the match that stands in for it, 0 if exact.
  ofTarget(target) {
    const source = this.page.targetToSource[target];
    const shared = source < 0 ? 0 : this.start[source + 1] - this.start[source];
    return { source, target, confidence: this.page.confidence[target], shared, apart: 0 };
  }

  ofSource(source) {
    const best = this.#mostConfident(source);
    if (best >= 0) return { ...this.ofTarget(best), source };
    const { target, distance } = this.#nearestMatched(source);
    if (target < 0) return { source, target: -1, confidence: NaN, shared: 0, apart: 0 };
    return { source, target, confidence: this.page.confidence[target], shared: 0, apart: distance };
  }

  #mostConfident(source) {
    let best = -1;
    for (let i = this.start[source]; i < this.start[source + 1]; i++) {
      const target = this.order[i];
      if (best < 0 || this.page.confidence[target] > this.page.confidence[best]) best = target;
    }
    return best;
  }

  #nearestMatched(source) {
    const points = this.page.source.positions;
    const [x, y, z] = points.subarray(3 * source, 3 * source + 3);
    let nearest = -1;
    let smallest = Infinity;
    for (let s = 0; s + 1 < this.start.length; s++) {
      if (this.start[s] === this.start[s + 1]) continue;
      const dx = points[3 * s] - x;
      const dy = points[3 * s + 1] - y;
      const dz = points[3 * s + 2] - z;
      const square = dx * dx + dy * dy + dz * dz;
      if (square < smallest) [smallest, nearest] = [square, s];
    }
    if (nearest < 0) return { target: -1, distance: NaN };
    return { target: this.#mostConfident(nearest), distance: Math.sqrt(smallest) };
  }
}
