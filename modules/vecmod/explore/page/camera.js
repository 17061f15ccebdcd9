/** What part of the map is seen: the unit square at a scale, in CSS pixels of the canvas. */

// The axes of a projection have no unit: wide screens may stretch them, a little.
const STRETCH = 1.6;
const DEEPEST = 400;

export class Camera {
  x = 0.5;
  y = 0.5;
  zoom = 1;
  margin = 40;
  width = 1;
  height = 1;

  /** CSS pixels that the unit square's sides take, at zoom 1. */
  get base() {
    const [width, height] = [this.width - 2 * this.margin, this.height - 2 * this.margin].map((side) =>
      Math.max(1, side),
    );
    return { x: Math.min(width, STRETCH * height), y: Math.min(height, STRETCH * width) };
  }

  get scale() {
    const { x, y } = this.base;
    return { x: x * this.zoom, y: y * this.zoom };
  }

  toScreen(point) {
    const { x, y } = this.scale;
    return [(point.x - this.x) * x + this.width / 2, (point.y - this.y) * y + this.height / 2];
  }

  toWorld(left, top) {
    const { x, y } = this.scale;
    return { x: (left - this.width / 2) / x + this.x, y: (top - this.height / 2) / y + this.y };
  }

  /** Zoom by a factor; what is at `left`, `top` stays there. */
  zoomAt(factor, left = this.width / 2, top = this.height / 2) {
    const held = this.toWorld(left, top);
    this.zoom = Math.max(0.8, Math.min(DEEPEST, this.zoom * factor));
    const moved = this.toWorld(left, top);
    this.to(this.x + held.x - moved.x, this.y + held.y - moved.y);
  }

  pan(left, top) {
    this.to(this.x - left / this.scale.x, this.y - top / this.scale.y);
  }

  to(x, y) {
    this.x = Math.max(-0.2, Math.min(1.2, x));
    this.y = Math.max(-0.2, Math.min(1.2, y));
  }

  all() {
    Object.assign(this, { x: 0.5, y: 0.5, zoom: 1 });
  }

  /** Bring a point into view, if it is not, with room around it. */
  reveal(point, room = 60) {
    const [left, top] = this.toScreen(point);
    const by = (at, size) => (at < room ? room - at : at > size - room ? size - room - at : 0);
    this.pan(by(left, this.width), by(top, this.height));
  }
}
