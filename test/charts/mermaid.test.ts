/**
 * The text for Mermaid. Its own parser needs a browser's window, so it is not asked here: each line is held to the small part of the grammar that is
 * used, in which nothing that a user wrote can be taken for anything but a name.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { chartOf } from 'statewarden';
import { createMachine } from 'xstate';
import { mermaidOf } from '#src/charts/mermaid.js';
import { everyState } from './drawn-faults.js';
import { exampleMachines } from './example-machines.js';
import { oddMachines } from './odd-machines.js';
import { randomCharts } from './random-charts.js';

const words = '(?:[\\p{L}\\p{M}\\p{N} .,_/()[\\]*=+←]|#\\d+;)+';
const name = '(?:s\\d+|fork\\d+|\\[\\*\\])';
const line = new RegExp(
  `^(?:stateDiagram-v2|direction LR|state "${words}" as s\\d+(?: \\{)?|state fork\\d+ <<fork>>|${name} --> ${name}(?: : ${words})?|s\\d+ : ${words}|note right of s\\d+|end note|--|\\}|)$`,
  'u',
);

/** Lines that no grammar allows; and braces that do not close. */
function faultsIn(text: string): string[] {
  const lines = text.split('\n').map((one) => one.trim());
  let inNote = false;
  const odd = lines.filter((one) => {
    const isNote = inNote && one !== 'end note';
    inNote = one.startsWith('note right of') || isNote;
    return isNote ? !new RegExp(`^${words}$`, 'u').test(one) : !line.test(one);
  });
  const depth = lines.filter((one) => one.endsWith(' {')).length - lines.filter((one) => one === '}').length;
  return depth === 0 ? odd : [...odd, 'braces'];
}

describe('a machine for Mermaid', () => {
  it('has its states, its ways, its regions and what happens inside', () => {
    const machine = createMachine({
      id: 'order',
      initial: 'open',
      states: {
        open: { tags: ['busy'], on: { PAY: { target: 'work', guard: 'isRich' as never }, NOTE: { actions: 'keep' as never } } },
        work: {
          type: 'parallel',
          entry: 'begin' as never,
          states: { box: { initial: 'a', states: { a: {}, h: { type: 'history' } } }, papers: {} },
          onDone: 'end',
          on: { BOTH: { target: ['.box', '.papers'] } },
        },
        end: { type: 'final' },
      },
    });
    expect(mermaidOf(chartOf(machine))).to.equal(`stateDiagram-v2
  direction LR
  state "order" as s0 {
    state "open" as s1
    s1 : tags#58; busy
    s1 : NOTE / keep
    state "work" as s2 {
      state "box" as s3 {
        state "a" as s4
        state "H" as s5
        [*] --> s4
      }
      --
      state "papers" as s6
    }
    note right of s2
      entry / begin
    end note
    state "end" as s7
    [*] --> s1
    s1 --> s2 : PAY [isRich]
    state fork0 <<fork>>
    s2 --> fork0 : BOTH
    fork0 --> s3
    fork0 --> s6
    s2 --> s7 : done
    s7 --> [*]
  }
`);
  });

  it('keeps to its grammar, whatever names and labels say', () => {
    for (const [of, machine] of [...exampleMachines(), ...Object.entries(oddMachines).map(([key, make]) => [key, make()] as const)]) {
      const chart = chartOf(machine);
      const text = mermaidOf(chart);
      expect(faultsIn(text), of).to.deep.equal([]);
      expect(text.match(/ as s\d+/g)?.length).to.equal(everyState(chart.root).length);
    }
    fc.assert(
      fc.property(randomCharts, (chart) => {
        expect(faultsIn(mermaidOf(chart))).to.deep.equal([]);
      }),
    );
  });
});
