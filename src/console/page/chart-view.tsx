/**
 * A statechart that one can move about in. It is laid out once for each machine and set of collapsed states; what is active and what was taken last
 * are classes on what is drawn already.
 */

import { effect, useSignal, type ReadonlySignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { MachineChart } from '../../actors/chart.js';
import { statesOf } from '../../charts/walk.js';
import type { Failure } from '../api.js';
import type { Drawn } from './drawing.js';
import { NotFetchedError } from './client.js';
import { Icon } from './icons.js';
import { Loading, Trouble } from './parts.js';
import { useReturn } from './stream.js';
import { Viewport } from './viewport.js';

interface ChartViewProps {
  readonly chart: MachineChart;
  readonly active: ReadonlySignal<ReadonlySet<string>>;
  readonly lit: ReadonlySignal<ReadonlySet<string>>;
  /** It is the past that is shown. */
  readonly past: boolean;
}

interface Elements {
  readonly states: ReadonlyMap<string, Element>;
  readonly edges: ReadonlyMap<string, readonly Element[]>;
}

const readable = 0.55;
/** What could not be fetched is asked for again after a pause, which doubles. */
const [shortestPauseMs, longestPauseMs] = [1_000, 30_000];

export function ChartView({ chart, active, lit, past }: ChartViewProps): VNode {
  const element = useRef<HTMLDivElement>(null);
  const viewport = useRef<Viewport | undefined>(undefined);
  const drawn = useRef<Drawn | undefined>(undefined);
  const elements = useSignal<Elements | undefined>(undefined);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [failure, setFailure] = useState<Failure | undefined>(undefined);
  const [tries, setTries] = useState(0);
  const pause = useRef(shortestPauseMs);
  const again = (): void => setTries((before) => before + 1);
  const compound = useMemo(
    () => [...statesOf(chart.root)].filter(({ states, id }) => states !== undefined && id !== chart.root.id).map(({ id }) => id),
    [chart],
  );
  const fitted = useRef<MachineChart | undefined>(undefined);

  const fit = (): void => {
    const boxes = drawn.current?.geometry.boxes.filter(({ id }) => active.peek().has(id)) ?? [];
    viewport.current?.fit(boxes.at(-1), readable);
  };

  useEffect(() => {
    const area = element.current;
    if (area === null) return;
    viewport.current = new Viewport(area);
    const observer = new ResizeObserver(() => viewport.current?.apply());
    observer.observe(area);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    let wanted = true;
    let retry: ReturnType<typeof setTimeout> | undefined;
    import('./drawing.js')
      .then(
        ({ draw }) => draw(chart, collapsed),
        () => Promise.reject(new NotFetchedError('the code that draws')),
      )
      .then(
        (result) => {
          const area = element.current;
          if (!wanted || area === null) return;
          drawn.current = result;
          pause.current = shortestPauseMs;
          setFailure(undefined);
          const focused = (document.activeElement as SVGElement | null)?.dataset?.['state'];
          area.innerHTML = result.svg;
          const svg = area.querySelector('svg') as SVGSVGElement;
          elements.value = found(svg, new Set(compound), collapsed);
          viewport.current?.show(svg, result.geometry);
          if (fitted.current !== chart) fit();
          fitted.current = chart;
          area.dataset['drawn'] = chart.id;
          if (focused !== undefined) (elements.value.states.get(focused) as SVGElement | undefined)?.focus();
        },
        (error: unknown) => {
          if (!wanted) return;
          const missing = error instanceof NotFetchedError;
          setFailure({
            code: 'NOT_DRAWN',
            message: `The chart could not be drawn: ${missing ? error.message : String(error)}.`,
            ...(missing
              ? { hint: 'It is tried again by itself. Where that does not help, open the page again: it may be an old one.' }
              : {}),
          });
          if (!missing) return;
          retry = setTimeout(again, pause.current);
          pause.current = Math.min(longestPauseMs, 2 * pause.current);
        },
      );
    return () => {
      wanted = false;
      clearTimeout(retry);
    };
  }, [chart, collapsed, tries]);
  useReturn(() => failure !== undefined && again());

  useEffect(
    () =>
      effect(() => {
        const { states, edges } = elements.value ?? { states: new Map<string, Element>(), edges: new Map<string, Element[]>() };
        const [isActive, isLit] = [active.value, lit.value];
        for (const [id, state] of states) state.classList.toggle('sw-active', isActive.has(id));
        for (const [id, parts] of edges) for (const part of parts) part.classList.toggle('sw-lit', isLit.has(id));
      }),
    [active, lit],
  );

  const toggle = (target: EventTarget | null): boolean => {
    const id = (target as Element | null)?.closest<SVGElement>('[data-state]')?.dataset['state'];
    if (id === undefined || !compound.includes(id)) return false;
    setCollapsed((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
    return true;
  };

  const onKey = (event: KeyboardEvent): void => {
    const { current } = viewport;
    const steps: Readonly<Record<string, () => void>> = {
      '+': () => current?.zoom(1.25),
      '=': () => current?.zoom(1.25),
      '-': () => current?.zoom(0.8),
      '0': fit,
      ...(event.shiftKey
        ? {
            ArrowLeft: () => current?.pan(-60, 0),
            ArrowRight: () => current?.pan(60, 0),
            ArrowUp: () => current?.pan(0, -60),
            ArrowDown: () => current?.pan(0, 60),
          }
        : {}),
    };
    const step = steps[event.key];
    if (step === undefined && !((event.key === 'Enter' || event.key === ' ') && toggle(event.target))) return;
    step?.();
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <section class={past ? 'chart past' : 'chart'} aria-label="Statechart" onKeyDown={onKey}>
      <div
        ref={element}
        class="chart-area"
        tabIndex={0}
        role="group"
        aria-label="Statechart. Plus and minus zoom, 0 fits, Shift and arrows move."
        onClick={(event) => {
          if (viewport.current?.dragged === true) return;
          const bar = (event.target as Element).closest('.sw-bar, .sw-title, [data-collapsed]');
          if (bar !== null) toggle(event.target);
        }}
      />
      {failure === undefined && elements.value === undefined && <Loading />}
      {failure !== undefined && <Trouble failure={failure} retry={again} />}
      <div class="chart-tools" role="toolbar" aria-label="Chart">
        <button
          type="button"
          class="button icon-only"
          aria-label="Zoom in"
          title="Zoom in (+)"
          onClick={() => viewport.current?.zoom(1.25)}
        >
          <Icon name="plus" />
        </button>
        <button
          type="button"
          class="button icon-only"
          aria-label="Zoom out"
          title="Zoom out (−)"
          onClick={() => viewport.current?.zoom(0.8)}
        >
          <Icon name="minus" />
        </button>
        <button type="button" class="button icon-only" aria-label="Fit" title="Fit (0)" onClick={() => viewport.current?.fit()}>
          <Icon name="fit" />
        </button>
        {compound.length > 0 && (
          <button type="button" class="button" onClick={() => setCollapsed(collapsed.size === 0 ? new Set(compound) : new Set())}>
            {collapsed.size === 0 ? 'Collapse' : 'Expand'}
          </button>
        )}
      </div>
    </section>
  );
}

/** By id, once for each drawing. Compound states can be reached by the keyboard. */
function found(svg: SVGSVGElement, compound: ReadonlySet<string>, collapsed: ReadonlySet<string>): Elements {
  const states = new Map<string, Element>();
  for (const state of svg.querySelectorAll<SVGElement>('[data-state]')) {
    const id = state.dataset['state'] as string;
    states.set(id, state);
    if (!compound.has(id)) continue;
    state.setAttribute('tabindex', '0');
    state.setAttribute('role', 'button');
    state.setAttribute('aria-expanded', String(!collapsed.has(id)));
    state.setAttribute('aria-label', `State ${id}`);
    state.classList.add('can-collapse');
  }
  const edges = new Map<string, readonly Element[]>();
  for (const edge of svg.querySelectorAll<SVGElement>('[data-edge]')) {
    const id = edge.dataset['edge'] as string;
    // Of a transition that stays in its state only the text is there.
    edges.set(id, [...(edges.get(id) ?? []), ...(edge.classList.contains('sw-edge') ? [edge] : [...edge.children])]);
  }
  return { states, edges };
}
