/** Operations that are not run here: another agent, a person or a budget answers them. */

import { wakeAt } from '../actors/operation.js';
import type { AlertEvent } from '../core/runtime-event.js';
import { alertOf, isApproval } from './approval.js';
import { expiryOf, isQuestion } from './ask.js';
import { isSpending } from './budget/spend.js';
import type { Run } from './run.js';

/** Whether it is one of them; what is to be done at its begin is done. */
export function isForOthers(run: Run, resumed: boolean, alert: (alert: AlertEvent) => void): boolean {
  const { agent, operation } = run;
  const { logic, input, record } = operation;
  if (isSpending(logic)) return true;
  if (isApproval(logic)) {
    if (!resumed) alert(alertOf(run, 'approval-requested'));
    return true;
  }
  if (!isQuestion(logic)) return false;
  const expiry = resumed ? expiryOf(input, record.intendedAt) : undefined;
  if (expiry !== undefined) wakeAt(agent, operation, expiry);
  return true;
}
