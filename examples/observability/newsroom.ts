/** One life of the process with the agents. The first asks for the report and is killed while writers are at work; the second finds it under way and waits for it. */

import { createRuntime } from 'statewarden';
import { cloudLogging } from 'statewarden/logging';
import { openTelemetry } from 'statewarden/opentelemetry';
import { sqlite } from 'statewarden/sqlite';
import { crew, type Finding } from './crew.js';
import { startSignals } from './signals.js';

export interface NewsroomOrder {
  readonly life: 1 | 2;
  readonly file: string;
  readonly collector: string;
}

export const topics = ['clocks', 'disks', 'networks'] as const;

const quickMs = 20;
/** Longer than the first life. */
const longMs = 600_000;

export async function openNewsroom({ life, file, collector }: NewsroomOrder): Promise<readonly Finding[]> {
  const signals = startSignals(collector, String(life));
  const logs = cloudLogging({ level: 'debug', projectId: 'my-project', labels: { life: String(life) } });
  const agents = crew((topic) => (life === 2 || topic === topics[0] ? quickMs : longMs));
  const runtime = await createRuntime({ store: sqlite(file), agents, telemetry: openTelemetry(), logger: logs.logger });
  runtime.events$.subscribe(logs.events);
  if (life === 1) {
    await signals.tracer.startActiveSpan('publish', async (span) => {
      const editor = await runtime.spawn('editor', { id: 'editor', input: { topics } });
      await editor.send({ type: 'PUBLISH' });
      span.end();
    });
  }
  const report = await runtime.agent<'editor'>('editor').result();
  await signals.flush();
  await runtime.close();
  await signals.end();
  return report;
}
