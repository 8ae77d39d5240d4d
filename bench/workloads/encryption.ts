/** Encryption at rest: the same work with and without it, in one run. */

import { milliseconds, perSecond, times } from '../format.js';
import type { Figures, Measured, Parameters } from '../processes/encryption.js';
import { median, round } from '../statistics.js';
import type { Context, Outcome, Row, Workload } from '../workload.js';

export const encryption: Workload = {
  id: 'encryption',
  title: 'Encryption at rest: the same work with and without it',
  async run(context: Context): Promise<Outcome> {
    const settings = {
      rounds: context.size(8, 3),
      sends: context.size(300, 100),
      agents: context.size(500, 100),
      workflows: context.size(1_000, 200),
    };
    const { plain, encrypted } = await context.progress.during('encryption', () =>
      context.measure<Figures>('encryption', settings satisfies Omit<Parameters, 'folder'>),
    );
    const ratio = (of: (measured: Measured) => readonly number[]): number =>
      median(of(encrypted).map((figure, index) => figure / (of(plain)[index] ?? 0)));
    const send = ratio(({ sendMs }) => sendMs);
    const events = ratio(({ eventsPerSecond }) => eventsPerSecond);
    const workflows = ratio(({ workflowsPerSecond }) => workflowsPerSecond);
    const processor = ratio(({ processorMs }) => processorMs);
    const bytes = encrypted.bytes / plain.bytes;
    const row = (measure: string, ours: string, theirs: string, factor: number): Row => ({
      workload: 'encryption',
      measure,
      ours,
      against: 'the same, not encrypted',
      theirs,
      ratio: times(factor),
    });
    return {
      figures: {
        sendRatio: round(send),
        eventsRatio: round(events),
        workflowsRatio: round(workflows),
        processorRatio: round(processor),
        bytesRatio: round(bytes),
        settings,
        raw: {
          plain: { ...rounded(plain), bytes: plain.bytes },
          encrypted: { ...rounded(encrypted), bytes: encrypted.bytes },
        },
      },
      rows: [
        row('one agent, send() until durable', milliseconds(median(encrypted.sendMs)), milliseconds(median(plain.sendMs)), send),
        row(
          `${String(settings.agents)} agents × 20 events`,
          perSecond(median(encrypted.eventsPerSecond)),
          perSecond(median(plain.eventsPerSecond)),
          events,
        ),
        row('five-step workflows', perSecond(median(encrypted.workflowsPerSecond)), perSecond(median(plain.workflowsPerSecond)), workflows),
        row('processor time of all of it', milliseconds(median(encrypted.processorMs)), milliseconds(median(plain.processorMs)), processor),
        row('bytes of the database', String(encrypted.bytes), String(plain.bytes), bytes),
      ],
    };
  },
};

function rounded({ sendMs, eventsPerSecond, workflowsPerSecond, processorMs }: Measured) {
  const all = (figures: readonly number[]): readonly number[] => figures.map((figure) => round(figure));
  return {
    sendMs: all(sendMs),
    eventsPerSecond: all(eventsPerSecond),
    workflowsPerSecond: all(workflowsPerSecond),
    processorMs: all(processorMs),
  };
}
