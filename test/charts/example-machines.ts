/** Every machine of the examples, and our own: supervisor and budget. */

import type { AnyStateMachine } from 'xstate';
import { budgetMachine } from '#src/effects/budget/machine.js';
import { supervisorMachine } from '#src/supervisor/machine.js';
import { teamKinds as incidentKinds } from '../../examples/incident-fleet/team/team.js';
import { bankCalls } from '../../examples/loan-saga/loan/activities.js';
import { loanMachine } from '../../examples/loan-saga/loan/machine.js';
import { teamKinds as researchKinds } from '../../examples/research-team/team/team.js';

const machinesOf = (folder: string, kinds: Readonly<Record<string, { readonly machine: AnyStateMachine }>>) =>
  Object.entries(kinds).map(([kind, { machine }]) => [`${folder}: ${kind}`, machine] as const);

/** They are only looked at: nothing they would call is there. */
export function exampleMachines(): readonly (readonly [name: string, machine: AnyStateMachine])[] {
  return [
    ...machinesOf('research-team', researchKinds({} as never)),
    ...machinesOf('incident-fleet', incidentKinds({ outage: { services: [], incidents: [] } } as never)),
    ['loan-saga: loan', loanMachine(bankCalls('http://localhost', fetch as never))],
    ['statewarden.supervisor', supervisorMachine],
    ['statewarden.budget', budgetMachine(() => 0)],
  ];
}
