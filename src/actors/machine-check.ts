/**
 * What is refused when a machine is registered, before any agent exists: things that XState accepts and that
 * could not be restored. Found statically where the configuration shows it; functions are looked at by their text, so a
 * spawn of inline logic that hides behind a variable is refused only when it happens (see seam.ts).
 */

import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { BadInputError, UnsupportedMachineError } from '../core/errors.js';
import { innerMachines, placedActions } from './placed-actions.js';
import { inlineSpawnHint, sortOf } from './seam.js';

const inlineSpawn =
  /\b(?:spawn|spawnChild)\s*\)?\(\s*(?:\(0,\s*)?[\w$.]*\b(?:fromPromise|fromCallback|fromObservable|fromEventObservable|fromTransition|createMachine)\b/;

/**
 * @throws BadInputError when it is not a machine.
 * @throws UnsupportedMachineError naming the state and what to write instead.
 */
export function checkMachine(kind: string, machine: unknown): asserts machine is AnyStateMachine {
  if (typeof machine !== 'object' || machine === null || !('implementations' in machine) || !('config' in machine)) {
    throw new BadInputError(`agents.${kind}.machine is not an XState machine`, {
      hint: 'Pass what setup({…}).createMachine({…}) or createMachine({…}) returns.',
    });
  }
  checkLogic(machine as AnyStateMachine, new Set());
}

function checkLogic(logic: AnyActorLogic, seen: Set<unknown>): void {
  if (seen.has(logic) || sortOf(logic) !== 'machine') return;
  seen.add(logic);
  const machine = logic as unknown as AnyStateMachine;
  const { context } = machine.config as { context?: unknown };
  checkAction(machine, context, 'the context factory');
  for (const [name, action] of Object.entries(machine.implementations.actions)) {
    checkAction(machine, action, `action "${name}"`);
  }
  for (const { where, action } of placedActions(machine)) checkAction(machine, action, where);
  for (const inner of innerMachines(machine)) checkLogic(inner as unknown as AnyActorLogic, seen);
}

function checkAction(machine: AnyStateMachine, action: unknown, where: string): void {
  if (typeof action !== 'function') return;
  const made = action as { type?: string; src?: unknown; assignment?: unknown; collect?: unknown };
  let inline = made.type === 'xstate.spawnChild' && typeof made.src !== 'string';
  const bodies = [action, made.assignment, made.collect].flatMap((body) =>
    typeof body === 'object' && body !== null ? (Object.values(body) as unknown[]) : [body],
  );
  inline ||= bodies.some((body) => typeof body === 'function' && inlineSpawn.test(String(body)));
  if (!inline) return;
  throw new UnsupportedMachineError(
    `machine "${machine.id}": ${where} spawns a child from inline logic, which cannot be restored after a restart`,
    { hint: inlineSpawnHint },
  );
}
