/** The map's points on a canvas: thumbnails where there is room for them, dots elsewhere. */

import * as api from "./api.js";

const PICTURE = 112;
const KEPT = 800;
const LOADING = 12;

export class Drawing {
  #canvas;
  #camera;
  #redraw;
  #pictures = new Map();
  #waiting = 0;
  #levels = new Map();
  #colors = null;
  #hits = new Set();
  points = [];

  constructor(canvas, camera, redraw) {
    this.#canvas = canvas;
    this.#camera = camera;
    this.#redraw = redraw;
  }

  setPoints(points) {
    this.points = points;
    this.#levels.clear();
  }

  /** Ids that stand out, and have their thumbnails before others. */
  setHits(ids) {
    this.#hits = ids;
    this.#levels.clear();
  }

  /** Colours come from the stylesheet, through properties of the canvas that have no other use. */
  restyle() {
    this.#colors = null;
  }

  #style() {
    const style = getComputedStyle(this.#canvas);
    this.#colors ??= {
      dot: style.color,
      hit: style.outlineColor,
      ring: style.borderTopColor,
      ground: style.backgroundColor,
    };
    return this.#colors;
  }

  /** Give the canvas the size of its box; true if it has one. */
  resize() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    const ratio = devicePixelRatio;
    Object.assign(this.#camera, { width, height });
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    this.#camera.margin = Math.min(this.side() / 2 + 12, width / 4, height / 4);
    return width > 0 && height > 0;
  }

  /** Zooms come in steps; within one the same points have thumbnails, so that nothing flickers. */
  #level() {
    return Math.floor(2 * Math.log2(this.#camera.zoom) + 1e-9);
  }

  /** Side of a thumbnail in CSS pixels: as much as few points leave, a little more with each step of zoom. */
  side() {
    const { width, height } = this.#camera;
    const room = 0.4 * Math.sqrt((width * height) / Math.max(1, this.points.length));
    return Math.round(Math.max(36, Math.min(96, room)) + Math.max(0, Math.min(10, this.#level())) * 4);
  }

  /** Radius of a dot: many points on a small screen have small ones. */
  #dot() {
    const { width, height } = this.#camera;
    const room = Math.sqrt((width * height) / Math.max(1, this.points.length)) / 7;
    return Math.min(5, Math.max(1.8, Math.min(3.5, room)) * (1 + 0.1 * Math.max(0, this.#level())));
  }

  /** Points with thumbnails at this level: the first ones that are not in each other's way. */
  #chosen() {
    const level = this.#level();
    const { x, y } = this.#camera.base;
    const key = [level, this.side(), x, y].join();
    if (!this.#levels.has(key)) {
      if (this.#levels.size > 40) this.#levels.clear();
      const room = (this.side() + 4) / 2 ** (level / 2);
      const first = this.points.filter((point) => this.#hits.has(point.id));
      const others = this.points.filter((point) => !this.#hits.has(point.id));
      this.#levels.set(key, apart([...first, ...others], room / x, room / y));
    }
    return this.#levels.get(key);
  }

  /** @param {object|null} marked the point with a ring */
  draw(marked) {
    const hits = this.#hits;
    const context = this.#canvas.getContext("2d");
    const ratio = devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.#camera.width, this.#camera.height);
    const chosen = this.#chosen();
    const seen = this.points.filter((point) => this.#isSeen(point));
    const plain = seen.filter((point) => !chosen.has(point) || !this.#draws(point));
    const isHit = (point) => hits.has(point.id);
    this.#dots(
      context,
      plain.filter((point) => !isHit(point)),
      "dot",
      hits.size ? 0.45 : 0.8,
    );
    for (const point of seen) if (chosen.has(point) && !isHit(point)) this.#thumbnail(context, point);
    this.#dots(context, plain.filter(isHit), "hit", 1);
    for (const point of seen) if (chosen.has(point) && isHit(point)) this.#thumbnail(context, point);
    if (!marked) return;
    this.#thumbnail(context, marked);
    this.#ring(context, marked);
  }

  #isSeen(point) {
    const [left, top] = this.#camera.toScreen(point);
    const room = this.side();
    return left > -room && top > -room && left < this.#camera.width + room && top < this.#camera.height + room;
  }

  #dots(context, points, color, alpha) {
    context.globalAlpha = alpha;
    context.fillStyle = this.#style()[color];
    context.beginPath();
    const radius = this.#dot() + (color === "hit" ? 1.5 : 0);
    for (const point of points) {
      const [left, top] = this.#camera.toScreen(point);
      context.moveTo(left + radius, top);
      context.arc(left, top, radius, 0, 2 * Math.PI);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  #draws(point) {
    return Boolean(point.thumbnail) && this.#pictures.get(point.id)?.drawn;
  }

  #thumbnail(context, point) {
    const hits = this.#hits;
    const picture = this.#picture(point);
    if (!picture) return;
    const side = this.side();
    const [left, top] = this.#camera.toScreen(point).map((at) => at - side / 2);
    const { hit, ground } = this.#style();
    // What is faint lets the ground shine through, not the dots behind it.
    context.fillStyle = ground;
    context.beginPath();
    context.roundRect(left, top, side, side, side / 12);
    context.fill();
    context.globalAlpha = hits.size && !hits.has(point.id) ? 0.45 : 1;
    context.drawImage(picture, left, top, side, side);
    context.globalAlpha = 1;
    if (hits.has(point.id)) outlined(context, left, top, side, hit, 2.5);
  }

  #ring(context, point) {
    const side = this.#draws(point) ? this.side() : 2 * this.#dot() + 8;
    const [left, top] = this.#camera.toScreen(point).map((at) => at - side / 2);
    outlined(context, left - 2, top - 2, side + 4, this.#style().ground, 6);
    outlined(context, left - 2, top - 2, side + 4, this.#style().ring, 3);
  }

  /** A point's thumbnail, square and with round corners; fetched when it is first wanted. */
  #picture(point) {
    if (!point.thumbnail) return null;
    const known = this.#pictures.get(point.id);
    if (known) {
      this.#pictures.delete(point.id);
      this.#pictures.set(point.id, known);
      return known.drawn;
    }
    if (this.#waiting < LOADING) this.#fetch(point);
    return null;
  }

  #fetch(point) {
    const image = new Image();
    const entry = { drawn: null };
    this.#pictures.set(point.id, entry);
    this.#waiting += 1;
    const settle = () => {
      this.#waiting -= 1;
      this.#redraw();
    };
    image.onload = () => {
      entry.drawn = rounded(image);
      settle();
    };
    // Without a picture it stays a dot.
    image.onerror = settle;
    image.src = api.thumbnail(point.thumbnail, PICTURE);
    if (this.#pictures.size > KEPT) this.#pictures.delete(this.#pictures.keys().next().value);
  }

  /** The point at a place of the canvas: a thumbnail there, or the nearest dot; null if there is none. */
  pointAt(left, top) {
    const chosen = this.#chosen();
    let best = null;
    let nearest = 16;
    for (const point of this.points) {
      const [x, y] = this.#camera.toScreen(point);
      const off = Math.max(Math.abs(x - left), Math.abs(y - top));
      const away = chosen.has(point) && this.#draws(point) && off <= this.side() / 2 ? off / 4 : off;
      if (away < nearest) [best, nearest] = [point, away];
    }
    return best;
  }
}

/** The first points of which no two are nearer than `across` and `down` on both axes. */
function apart(points, across, down) {
  const cells = new Map();
  const chosen = new Set();
  const near = (a, b) => Math.abs(a.x - b.x) < across && Math.abs(a.y - b.y) < down;
  for (const point of points) {
    const [column, row] = [Math.floor(point.x / across), Math.floor(point.y / down)];
    const around = [-1, 0, 1].flatMap((i) => [-1, 0, 1].map((j) => cells.get(`${column + i},${row + j}`)));
    if (around.some((other) => other && near(other, point))) continue;
    cells.set(`${column},${row}`, point);
    chosen.add(point);
  }
  return chosen;
}

function rounded(image) {
  const side = Math.min(image.naturalWidth, image.naturalHeight);
  const drawn = Object.assign(document.createElement("canvas"), { width: 2 * PICTURE, height: 2 * PICTURE });
  const context = drawn.getContext("2d");
  context.beginPath();
  context.roundRect(0, 0, 2 * PICTURE, 2 * PICTURE, 20);
  context.clip();
  const [left, top] = [(image.naturalWidth - side) / 2, (image.naturalHeight - side) / 2];
  context.drawImage(image, left, top, side, side, 0, 0, 2 * PICTURE, 2 * PICTURE);
  return drawn;
}

function outlined(context, left, top, side, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.roundRect(left, top, side, side, Math.min(7, side / 2));
  context.stroke();
}
