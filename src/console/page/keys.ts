/** Keys that do something wherever one is, unless one is writing. */

type Keys = Readonly<Record<string, () => void>>;

const layers: Keys[] = [];

/** The newest layer that knows a key has it. */
export function onKeys(keys: Keys): () => void {
  layers.push(keys);
  return () => {
    layers.splice(layers.indexOf(keys), 1);
  };
}

export function listenToKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isWriting(event)) return;
    const layer = layers.findLast((keys) => keys[event.key] !== undefined);
    if (layer === undefined) return;
    event.preventDefault();
    layer[event.key]?.();
  });
}

function isWriting({ target, key }: KeyboardEvent): boolean {
  const element = target as HTMLElement;
  if (document.querySelector('dialog[open]') !== null) return true;
  if (element.tagName !== 'INPUT') return ['TEXTAREA', 'SELECT'].includes(element.tagName);
  const { type } = element as HTMLInputElement;
  if (type === 'range') return key.startsWith('Arrow') || key === 'Home' || key === 'End';
  return type !== 'checkbox';
}
