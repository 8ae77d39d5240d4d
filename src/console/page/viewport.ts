/** What part of a picture is seen: dragged, pinched, scrolled, zoomed. The picture itself stays as it is, only its `viewBox` changes. */

interface Size {
  readonly width: number;
  readonly height: number;
}

const [smallest, largest] = [0.1, 4];

export class Viewport {
  /** Of the picture, at the left upper corner. */
  #x = 0;
  #y = 0;
  #scale = 1;
  #svg: SVGSVGElement | undefined;
  #picture: Size = { width: 1, height: 1 };
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #moved = 0;

  constructor(readonly element: HTMLElement) {
    element.addEventListener('pointerdown', (event) => this.#down(event));
    element.addEventListener('pointermove', (event) => this.#move(event));
    for (const type of ['pointerup', 'pointercancel'] as const)
      element.addEventListener(type, (event) => this.#pointers.delete(event.pointerId));
    element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
  }

  /** The last press was a drag: what it ended on is not meant. */
  get dragged(): boolean {
    return this.#moved > 4;
  }

  show(svg: SVGSVGElement, picture: Size): void {
    this.#svg = svg;
    this.#picture = picture;
    svg.setAttribute('width', '100%');
    svg.setAttribute('height', '100%');
    svg.setAttribute('preserveAspectRatio', 'xMinYMin meet');
    this.apply();
  }

  apply(): void {
    const { clientWidth, clientHeight } = this.element;
    const box = [this.#x, this.#y, clientWidth / this.#scale, clientHeight / this.#scale];
    this.#svg?.setAttribute('viewBox', box.map((value) => value.toFixed(2)).join(' '));
  }

  /** The whole picture, as large as there is room; where it would be too small to read, only what is around `focus`. */
  fit(focus?: { readonly x: number; readonly y: number } & Size, readable = 0): void {
    const { clientWidth, clientHeight } = this.element;
    const { width, height } = this.#picture;
    const whole = Math.min(clientWidth / width, clientHeight / height, 1.3);
    this.#scale = Math.max(whole, readable);
    const middle =
      focus === undefined || this.#scale === whole
        ? { x: width / 2, y: height / 2 }
        : { x: focus.x + focus.width / 2, y: focus.y + focus.height / 2 };
    const [w, h] = [clientWidth / this.#scale, clientHeight / this.#scale];
    const held = (centre: number, seen: number, all: number): number =>
      seen >= all ? (all - seen) / 2 : Math.max(0, Math.min(all - seen, centre - seen / 2));
    this.#x = held(middle.x, w, width);
    this.#y = held(middle.y, h, height);
    this.apply();
  }

  zoom(factor: number, at?: { readonly x: number; readonly y: number }): void {
    const { clientWidth, clientHeight } = this.element;
    const { x, y } = at ?? { x: clientWidth / 2, y: clientHeight / 2 };
    const scale = Math.max(smallest, Math.min(largest, this.#scale * factor));
    this.#x += x / this.#scale - x / scale;
    this.#y += y / this.#scale - y / scale;
    this.#scale = scale;
    this.apply();
  }

  pan(dx: number, dy: number): void {
    this.#x += dx / this.#scale;
    this.#y += dy / this.#scale;
    this.apply();
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#moved = 0;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    const after = { x: event.clientX, y: event.clientY };
    this.#moved += Math.abs(after.x - before.x) + Math.abs(after.y - before.y);
    if (this.dragged && !this.element.hasPointerCapture(event.pointerId)) this.element.setPointerCapture(event.pointerId);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, after);
    if (other === undefined) {
      this.pan(before.x - after.x, before.y - after.y);
      return;
    }
    const apart = (one: { x: number; y: number }): number => Math.hypot(one.x - other.x, one.y - other.y);
    const box = this.element.getBoundingClientRect();
    this.zoom(apart(after) / Math.max(1, apart(before)), { x: (after.x + other.x) / 2 - box.left, y: (after.y + other.y) / 2 - box.top });
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const box = this.element.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 200), { x: event.clientX - box.left, y: event.clientY - box.top });
    } else this.pan(event.deltaX + (event.shiftKey ? event.deltaY : 0), event.shiftKey ? 0 : event.deltaY);
  }
}
