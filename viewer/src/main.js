// The page of a pair: two shapes side by side, coloured by correspondence, confidence or parts.
import { Correspondence, readPage } from "./data.js";
import { showLegend } from "./legend.js";
import { View } from "./view.js";

const CLICK_TOLERANCE = 4; // pixels that a pointer may move between down and up
const MARK = "#ff2f6d";
const byId = (id) => document.getElementById(id);

function describe(pair) {
  const { source, target, confidence, shared, apart } = pair;
  if (target < 0) return [["Source vertex", source], ["Target", "no match"]];
  if (source < 0) return [["Source", "no match"], ["Target vertex", target]];
  const rows = [["Source vertex", source], ["Target vertex", target]];
  rows.push(["Confidence", Number.isFinite(confidence) ? confidence.toFixed(3) : "n/a"]);
  if (apart > 0) {
    rows.push(["Note", `nothing maps here exactly; the nearest match is ${(100 * apart).toFixed(1)} % of the size away`]);
  } else if (shared > 1) {
    rows.push(["Note", `${shared} target vertices share this source vertex`]);
  }
  return rows;
}

function showReadout(rows) {
  const list = byId("readout");
  list.replaceChildren();
  for (const [name, value] of rows) {
    const item = document.createElement("div");
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    detail.textContent = value;
    item.append(term, detail);
    list.append(item);
  }
}

class Page {
  constructor(page) {
    this.page = page;
    this.correspondence = new Correspondence(page);
    this.views = {
      source: new View(byId("canvas-source"), page.source),
      target: new View(byId("canvas-target"), page.target),
    };
    this.linked = true;
    this.home();
    this.#modes();
    this.#keypoints();
    this.#buttons();
    for (const side of ["source", "target"]) this.#listen(side);
  }

  // the same distance for both, so that they stay comparable
  home() {
    const views = Object.values(this.views);
    const distance = Math.max(...views.map((view) => view.fittingDistance()));
    views.forEach((view) => view.home(distance));
  }

  #modes() {
    const bar = byId("modes");
    this.page.modes.forEach((mode, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = mode.label;
      button.id = `mode-${mode.key}`;
      button.addEventListener("click", () => this.colour(i));
      bar.append(button);
    });
    this.colour(0);
  }

  colour(index) {
    const mode = this.page.modes[index];
    [...byId("modes").children].forEach((b, i) => b.setAttribute("aria-pressed", String(i === index)));
    for (const side of ["source", "target"]) {
      this.views[side].paint(mode[side].colours, mode[side].perFace);
    }
    showLegend(byId("legend"), mode.legend);
  }

  #keypoints() {
    const button = byId("toggle-keypoints");
    const sides = ["source", "target"].filter((side) => this.page[side].keypoints);
    button.hidden = sides.length === 0;
    for (const side of sides) {
      const { points, colours } = this.page[side].keypoints;
      this.views[side].keypoints.set([...points], colours);
    }
    this.#toggle(button, sides.length > 0, (on) => {
      for (const side of sides) {
        this.views[side].keypoints.visible = on;
        this.views[side].invalidate();
      }
    });
  }

  #toggle(button, on, change) {
    const set = (value) => {
      button.setAttribute("aria-pressed", String(value));
      change(value);
    };
    button.addEventListener("click", () => set(button.getAttribute("aria-pressed") !== "true"));
    set(on);
  }

  #buttons() {
    this.#toggle(byId("toggle-linked"), true, (on) => {
      this.linked = on;
      if (on) this.views.target.follow(this.views.source);
    });
    byId("reset").addEventListener("click", () => {
      this.home();
      this.clear();
    });
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    this.#toggle(byId("toggle-dark"), dark, (on) => {
      document.documentElement.dataset.theme = on ? "dark" : "light";
    });
  }

  #listen(side) {
    const view = this.views[side];
    const other = this.views[side === "source" ? "target" : "source"];
    let down = null;
    view.canvas.addEventListener("pointerdown", (event) => {
      this.active = side;
      down = event;
    });
    view.canvas.addEventListener("wheel", () => (this.active = side), { passive: true });
    view.canvas.addEventListener("pointerup", (event) => {
      const moved = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
      if (down && moved < CLICK_TOLERANCE && event.button === 0) this.select(side, view.pick(event));
      down = null;
    });
    view.controls.addEventListener("change", () => {
      if (this.linked && this.active === side) other.follow(view);
    });
    view.canvas.addEventListener("pointermove", (event) => this.#hover(side, event));
    view.canvas.addEventListener("pointerleave", () => (byId(`tip-${side}`).hidden = true));
  }

  // names the keypoint under the pointer
  #hover(side, event) {
    const tip = byId(`tip-${side}`);
    const view = this.views[side];
    const box = view.canvas.getBoundingClientRect();
    const name = this.#keypointAt(side, event.clientX - box.left, event.clientY - box.top);
    tip.hidden = name === null;
    if (name === null) return;
    tip.textContent = name;
    tip.style.left = `${event.clientX - box.left + 14}px`;
    tip.style.top = `${event.clientY - box.top + 10}px`;
  }

  #keypointAt(side, x, y) {
    const view = this.views[side];
    const { keypoints } = this.page[side];
    if (!keypoints || !view.keypoints.visible) return null;
    let [name, smallest] = [null, 10];
    keypoints.names.forEach((candidate, i) => {
      const point = view.camera.position.clone().fromArray(keypoints.points, 3 * i);
      const at = view.project(point);
      const distance = Math.hypot(at.x - x, at.y - y);
      if (distance < smallest) [smallest, name] = [distance, candidate];
    });
    return name;
  }

  // marks a vertex of one side and its counterpart; vertex -1 (background) clears the marks
  select(side, vertex) {
    if (vertex < 0) return this.clear();
    const pair = side === "source" ? this.correspondence.ofSource(vertex) : this.correspondence.ofTarget(vertex);
    for (const name of ["source", "target"]) {
      this.views[name].mark(pair[name] < 0 ? [] : [pair[name]], [MARK]);
    }
    showReadout(describe(pair));
    return pair;
  }

  clear() {
    this.views.source.mark([], []);
    this.views.target.mark([], []);
    showReadout([["Click", "a point of one shape to see its counterpart on the other; drag turns, wheel zooms"]]);
  }
}

function start() {
  const root = document.documentElement;
  try {
    window.semcorr = new Page(readPage());
    window.semcorr.clear();
    root.dataset.state = "ready";
  } catch (error) {
    root.dataset.state = "error";
    const box = byId("problem");
    box.hidden = false;
    box.textContent = `This page cannot be shown: ${error.message}`;
    throw error;
  }
}

start();
