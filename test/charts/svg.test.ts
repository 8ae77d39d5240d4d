/** The picture as text: it stands alone, says what it shows, and can be lit by its classes. */

import { expect } from 'chai';
import { chartOf } from 'statewarden';
import { createMachine } from 'xstate';
import { activeIn } from '#src/charts/active.js';
import { layout } from '#src/charts/layout.js';
import { svgOf } from '#src/charts/svg.js';
import { elk } from './elk.js';
import { exampleMachines } from './example-machines.js';
import { oddMachines } from './odd-machines.js';

/** Every element is closed by its own kind, every `<` and `&` belongs to one. */
function illFormed(xml: string): string[] {
  const open: string[] = [];
  const faults: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, closing: string, name: string, _attributes, empty: string) => {
      if (closing === '/') {
        if (open.pop() !== name) faults.push(`</${name}>`);
      } else if (empty === '') open.push(name);
      return '';
    },
  );
  if (open.length > 0) faults.push(`open: ${open.join()}`);
  if (/<|&(?!amp;|lt;|gt;|quot;|#39;)/.test(rest)) faults.push('a stray < or &');
  if (/[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]|\p{Cs}/u.test(xml)) faults.push('a character that XML has not');
  return faults;
}

const groups = (svg: string, attribute: string): string[] =>
  [...svg.matchAll(new RegExp(` ${attribute}="([^"]*)"`, 'g'))].map(([, id]) => id as string);

describe('a picture as SVG', function () {
  this.timeout(120_000);

  it('is well formed and has a group for every state and every transition', async () => {
    const machines = [...exampleMachines().map(([, machine]) => machine), ...Object.values(oddMachines).map((make) => make())];
    for (const machine of machines) {
      const geometry = await layout(chartOf(machine), { elk });
      const svg = svgOf(geometry);
      expect(illFormed(svg), machine.id).to.deep.equal([]);
      expect(groups(svg, 'data-state').length).to.equal(geometry.boxes.length);
      expect(groups(svg, 'data-edge').length).to.equal(geometry.edges.length + geometry.internal.length);
    }
  });

  it('takes any name for what it is', async () => {
    const machine = createMachine({ id: '<&"\'>\u0001\uD800', initial: 'a', states: { a: { description: ']]></desc><script>' } } });
    const svg = svgOf(await layout(chartOf(machine), { elk }));
    expect(illFormed(svg)).to.deep.equal([]);
    expect(svg).to.include('<title>&lt;&amp;&quot;&#39;&gt;\uFFFD\uFFFD</title>').and.not.include('<script');
  });

  it('says to a screen reader what it shows, and lights what is active', async () => {
    const machine = createMachine({ id: 'm', initial: 'a', states: { a: { on: { GO: 'b', NOTE: { actions: 'x' as never } } }, b: {} } });
    const chart = chartOf(machine);
    const geometry = await layout(chart, { elk });
    const dim = svgOf(geometry);
    const lit = svgOf(geometry, { active: activeIn(chart, 'b'), lit: ['m.a:0', 'm.a:1'], title: 'orders/o-1' });
    expect(dim)
      .to.match(/^<svg [^>]*role="img"/)
      .and.include('<title>m</title>');
    expect(dim).to.include('<desc>Statechart: 3 states, 2 transitions.</desc>');
    expect(lit).to.include('<title>orders/o-1</title>').and.include('<desc>Statechart: 3 states, 2 transitions. Active: m, m.b.</desc>');
    // By classes alone: nothing else differs.
    const bare = (svg: string): string => svg.replace(/ sw-(active|lit)/g, '').replace(/<title>.*<\/desc>/s, '');
    expect(bare(lit)).to.equal(bare(dim));
    expect([...lit.matchAll(/<g class="[^"]* sw-active" data-state="([^"]*)"/g)].map(([, id]) => id)).to.deep.equal(['m', 'm.b']);
    expect(lit)
      .to.match(/<g class="sw-edge sw-on sw-lit" data-edge="m\.a:0"/)
      .and.match(/<g data-edge="m\.a:1"><text class="sw-internal sw-lit"/);
  });

  it('is light or dark as the reader has it, or as it is told', async () => {
    const geometry = await layout(chartOf(createMachine({ id: 'm' })), { elk });
    expect(svgOf(geometry)).to.include('@media(prefers-color-scheme:dark)');
    expect(svgOf(geometry, { theme: 'light' })).to.not.include('@media');
    expect(svgOf(geometry, { theme: 'dark' })).to.not.equal(svgOf(geometry, { theme: 'light' }));
  });

  it('marks errors, regions, final states, history and what is collapsed', async () => {
    const machine = createMachine({
      id: 'm',
      initial: 'p',
      states: {
        p: { type: 'parallel', states: { one: { initial: 'x', states: { x: {}, h: { type: 'history', history: 'deep' } } }, two: {} } },
        call: { invoke: { id: 'c', src: 'c' as never, onError: 'end' } },
        end: { type: 'final' },
      },
    });
    const svg = svgOf(await layout(chartOf(machine), { elk, collapsed: new Set(['m.p.two', 'm.p.one']) }));
    expect(svg).to.include('data-state="m.p.one" data-collapsed=""').and.not.include('data-state="m.p.two" data-collapsed');
    const open = svgOf(await layout(chartOf(machine), { elk }));
    expect(open).to.match(/class="sw-edge sw-error" data-edge="m\.call:0"/);
    expect(open).to.match(/class="sw-state sw-compound sw-open sw-region" data-state="m\.p\.one"/);
    expect(open).to.match(/data-state="m\.end">.*class="sw-second"/);
    expect(open).to.match(/data-state="m\.p\.one\.h"><circle .*>H\*<\/text>/);
  });
});
