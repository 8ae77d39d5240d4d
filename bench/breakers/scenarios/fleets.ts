/** Eight small callers, one request a second each, before one service: too few calls for any of them to know much by itself. */

import { failedDuring, openAfterS } from './measures.js';
import { hardOutage, outage } from './hard-outage.js';
import type { Column, Scenario } from './scenario.js';

const nodes = 8;
const columns: readonly Column[] = [
  { name: 'first', head: 'first open after', digits: 1, unit: 's', missing: 'never' },
  { name: 'open', head: 'all open after', digits: 1, unit: 's', missing: 'never', goal: { most: 3 } },
  { name: 'failed', head: 'failed calls let through', digits: 0, goal: { most: 100 } },
];

export const fleetShared: Scenario = {
  ...hardOutage,
  id: 'fleet-shared',
  title: 'Hard outage before a fleet of eight that share what they count',
  about: 'Eight nodes with one request a second each; once a second each hears the counters of the others, where a policy has any.',
  fleet: { nodes, ratePerNode: 1, shared: true },
  columns,
  judge: (recording) => ({
    first: openAfterS(recording, outage),
    open: openAfterS(recording, outage, nodes),
    failed: failedDuring(recording, outage),
  }),
};

export const fleetAlone: Scenario = {
  ...fleetShared,
  id: 'fleet-alone',
  title: 'Hard outage before a fleet of eight, each by itself',
  about: 'The same, and nobody hears anything.',
  fleet: { nodes, ratePerNode: 1, shared: false },
  columns: columns.map(({ goal: _, ...column }) => column),
};

const sick = 3;

export const fleetOneSick: Scenario = {
  ...fleetShared,
  id: 'fleet-one-sick',
  title: 'One sick node in a fleet of eight',
  about: 'The network of one node fails for ten minutes; the service and the other seven are well, and share their counters.',
  faults: [{ kind: 'network', fromMs: outage.fromMs, toMs: outage.toMs, node: sick }],
  columns: [
    { name: 'sick', head: 'sick node left closed after', digits: 1, unit: 's', missing: 'never' },
    { name: 'sickOpen', head: 'sick node open after', digits: 1, unit: 's', missing: 'never' },
    { name: 'others', head: 'trips of the others', digits: 0, goal: { most: 0 } },
  ],
  judge: ({ changes }) => {
    const during = changes.filter(({ atMs, from }) => atMs >= outage.fromMs && atMs < outage.toMs && from !== 'half-open');
    const after = (atMs: number | undefined): number | undefined => (atMs === undefined ? undefined : (atMs - outage.fromMs) / 1_000);
    return {
      sick: after(during.find(({ node, from }) => node === sick && from === 'closed')?.atMs),
      sickOpen: after(during.find(({ node, to }) => node === sick && to === 'open')?.atMs),
      others: during.filter(({ node, from }) => node !== sick && from === 'closed').length,
    };
  },
};
