/** The kinds of agents, and the tree that they stand in. Whoever is told something is started before whoever tells it: the detector comes last. */

import { fleet, supervisor } from 'statewarden';
import type { World } from '../world.js';
import { createActivities } from './activities.js';
import { commanderMachine } from './commander.js';
import { detectorMachine } from './detector.js';
import { ids } from './events.js';
import { responderMachine } from './responder.js';
import { triageMachine } from './triage.js';
import { workerMachine } from './worker.js';

export type TeamKinds = ReturnType<typeof teamKinds>;

export function teamKinds(world: World) {
  const activities = createActivities(world);
  return {
    detector: { machine: detectorMachine(activities), version: 1 },
    triage: { machine: triageMachine(activities), version: 1 },
    commander: { machine: commanderMachine(), version: 1 },
    responder: { machine: responderMachine(world, activities), version: 1 },
    worker: { machine: workerMachine(world, activities), version: 1 },
  };
}

/** Whoever has a call under way and shows no sign of life for so long is restarted. */
const heartbeatMs = 600;
const delay = { initialMs: 20, jitter: 'none' } as const;

export function teamTree({ outage }: World) {
  const restarts = 5 * outage.services.length;
  return supervisor({
    id: 'incident',
    children: [
      fleet(ids.workers, { kind: 'worker', size: 4, heartbeatMs, delay }),
      supervisor({
        id: 'responders',
        intensity: restarts,
        delay,
        children: outage.services.map(({ name }) => ({
          id: ids.responder(name),
          kind: 'responder',
          input: { service: name },
          heartbeatMs,
        })),
      }),
      supervisor({
        id: 'desk',
        intensity: 3,
        delay,
        children: [
          { id: ids.triage, kind: 'triage', input: { services: outage.services } },
          { id: ids.commander, kind: 'commander' },
          { id: ids.detector, kind: 'detector' },
        ],
      }),
    ],
  });
}
