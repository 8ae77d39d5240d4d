/** What is run inside the page, and what it needs of a browser: the tests themselves are compiled for Node. */

interface Part {
  readonly parentElement: Part | null;
  readonly textContent: string | null;
  readonly className: string;
  readonly tagName: string;
  getAttribute(name: string): string | null;
  closest(selector: string): Part | null;
}

interface Canvas {
  getContext(kind: '2d', options: object): Pen;
}

interface Pen {
  fillStyle: string;
  clearRect(x: number, y: number, width: number, height: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Iterable<number> };
}

declare const document: {
  readonly cookie: string;
  readonly documentElement: { readonly scrollWidth: number };
  createElement(name: 'canvas'): Canvas;
  querySelectorAll(selector: string): Iterable<Part>;
  readonly activeElement: Part;
};
declare const innerWidth: number;
declare const location: { readonly href: string };
declare const localStorage: object;
declare const sessionStorage: object;
declare function getComputedStyle(part: Part): { readonly color: string; readonly backgroundColor: string };

/** How far the page is wider than the screen. */
export const beyondScreen = (): number => document.documentElement.scrollWidth - innerWidth;

/** All that the page keeps. */
export const keptByPage = (): string => JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }]);

/** Texts whose colour is too close to what is behind them, by the rule of WCAG for small text. */
export function faintTexts(): string[] {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parts = (colour: string): number[] => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour: readonly number[]): number =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => {
      const part = (colour[index] as number) / 255;
      return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
  const ground = (element: Part): number[] => {
    for (let one: Part | null = element; one !== null; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll(
    'h1, h2, h3, p, dt, dd, b, code, time, .status, .muted, .tag, .hint, a, button, .json-key, .json-string, .json-number',
  )) {
    const text = (element.textContent ?? '').trim();
    if (text === '' || element.closest('svg, [aria-disabled=true], :disabled, .visually-hidden, .none') !== null) continue;
    const [one, other] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a) as [number, number];
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) found.push(`${element.className || element.tagName}: ${text.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return found;
}

/** Before the page's own scripts: what the chart waits before it tries again by itself never passes. */
export function withoutPauses(): void {
  const wait = globalThis.setTimeout;
  globalThis.setTimeout = ((then: () => void, ms?: number) =>
    [1_000, 2_000, 4_000, 8_000].includes(ms ?? 0) ? 0 : wait(then, ms)) as unknown as typeof setTimeout;
}

/** How bright the page's ground and a box of its chart are, 0 to 255. */
export function coloursOf(): { readonly page: number; readonly box: number } {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const brightness = (colour: string): number => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return Math.max(...[...pen.getImageData(0, 0, 1, 1).data].slice(0, 3));
  };
  const [body] = document.querySelectorAll('body');
  const [box] = document.querySelectorAll('.chart-area .sw-box');
  const styles = (part: Part | undefined) => getComputedStyle(part as Part);
  return { page: brightness(styles(body).backgroundColor), box: brightness((styles(box) as unknown as { readonly fill: string }).fill) };
}

/** What has the focus, by its name; '' when nothing of the page has it. */
export function focusedName(): string {
  const { activeElement } = document;
  if (activeElement.tagName === 'BODY') return '';
  return (activeElement.getAttribute('aria-label') ?? activeElement.textContent ?? '').trim();
}
