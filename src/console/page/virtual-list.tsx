/** A long list of which only the rows in sight are in the page. All rows are of one height. */

import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface VirtualListProps<T> {
  readonly items: readonly T[];
  readonly rowHeight: number;
  readonly keyOf: (item: T) => string | number;
  readonly row: (item: T, index: number) => VNode;
  readonly label: string;
  /** The end is near: more is wanted. */
  readonly onEnd?: () => void;
  /** Index that must be in sight. */
  readonly shown?: number | undefined;
  /** Rows come in at the top: who has scrolled down keeps seeing the same ones. */
  readonly anchored?: boolean;
}

const spare = 8;

export function VirtualList<T>({ items, rowHeight, keyOf, row, label, onEnd, shown, anchored = false }: VirtualListProps<T>): VNode {
  const element = useRef<HTMLDivElement>(null);
  const [{ top, height }, setSight] = useState({ top: 0, height: 800 });
  const look = (): void => {
    const list = element.current;
    if (list !== null)
      setSight((before) =>
        before.top === list.scrollTop && before.height === list.clientHeight ? before : { top: list.scrollTop, height: list.clientHeight },
      );
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (element.current !== null) observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / rowHeight) - spare);
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + spare);
  const firstKey = items[0] === undefined ? undefined : keyOf(items[0]);
  const topKey = useRef<string | number | undefined>(undefined);
  useLayoutEffect(() => {
    const list = element.current;
    const before = topKey.current;
    topKey.current = firstKey;
    if (list === null || !anchored || before === undefined || before === firstKey || list.scrollTop < rowHeight / 2) return;
    const moved = items.findIndex((item) => keyOf(item) === before);
    if (moved > 0) list.scrollTop += moved * rowHeight;
  }, [firstKey]);
  useEffect(() => {
    if (onEnd !== undefined && last >= items.length - 2 * spare) onEnd();
  }, [last, items.length, onEnd]);
  useEffect(() => {
    const list = element.current;
    if (list === null || shown === undefined || shown < 0) return;
    const [from, to] = [shown * rowHeight, (shown + 1) * rowHeight];
    if (from < list.scrollTop) list.scrollTop = from - rowHeight;
    else if (to > list.scrollTop + list.clientHeight) list.scrollTop = to - list.clientHeight + rowHeight;
  }, [shown]);
  return (
    <div class="virtual" ref={element} onScroll={look} role="list" aria-label={label} tabIndex={0}>
      <div class="virtual-whole" style={{ height: `${String(items.length * rowHeight)}px` }}>
        {items.slice(first, last).map((item, index) => (
          <div
            class="virtual-row"
            role="listitem"
            key={keyOf(item)}
            style={{ transform: `translateY(${String((first + index) * rowHeight)}px)`, height: `${String(rowHeight)}px` }}
          >
            {row(item, first + index)}
          </div>
        ))}
      </div>
    </div>
  );
}
