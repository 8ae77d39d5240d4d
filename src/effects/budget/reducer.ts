/**
 * A budget's mind: what it knows, what happens to it, what it answers. A pure function of state, event and time, so that it can be tried against a model and read by a
 * command that runs no agent.
 *
 * Invariant: `spent` and what open permits hold never exceed `limit` and `credit` together, unless a call cost more than its permit, or the limit was lowered.
 */

/** A declaration, as the runtime's options have it. */
export interface BudgetDefinition {
  /** As much may be spent: in all, or in each period. */
  readonly limit: number;
  /** Length of a period, which begins with what is spent first and after which nothing counts as spent. Undefined: only `add` refills it. */
  readonly periodMs?: number | undefined;
}

export interface BudgetState {
  /** As declared last: another declaration takes the place of `limit` and `periodMs`, the same one does not. */
  readonly declared: { readonly limit: number; readonly periodMs: number | undefined };
  readonly limit: number;
  readonly periodMs: number | undefined;
  readonly spent: number;
  /** Added by hand; used when the limit is. */
  readonly credit: number;
  /** When the period that runs began, in epoch milliseconds. */
  readonly windowStart: number | undefined;
  /** Permits that are granted and not settled: key and amount. A list, because a copy of it costs next to nothing, that of an object with thousands of keys a lot. */
  readonly open: readonly (readonly [key: string, amount: number])[];
  /** How often it has said no. */
  readonly refused: number;
}

export type BudgetEvent =
  | { readonly type: 'budget.spend'; readonly amount: number }
  /** Holds an amount under a key. Asked again, it is held once. */
  | { readonly type: 'budget.permit'; readonly key: string; readonly amount: number }
  /** Ends a permit; `amount`: what was spent, undefined for all that it held. A key that is not held changes nothing. */
  | { readonly type: 'budget.settle'; readonly key: string; readonly amount?: number | undefined }
  | { readonly type: 'budget.add'; readonly amount: number }
  | { readonly type: 'budget.limit'; readonly limit: number }
  | { readonly type: 'budget.declare'; readonly limit: number; readonly periodMs?: number | undefined };

/** `left` after it. `refused`: with how things stood. `invalid`: the event says no amount. */
export type BudgetAnswer =
  | { readonly outcome: 'granted'; readonly left: number }
  | { readonly outcome: 'refused'; readonly requested: number; readonly status: BudgetNumbers }
  | { readonly outcome: 'invalid'; readonly what: string };

/** How a budget stands. */
export interface BudgetNumbers {
  readonly limit: number;
  readonly spent: number;
  /** Held by permits of activities under way. */
  readonly reserved: number;
  /** Added by hand and not used yet. */
  readonly credit: number;
  /** What may be spent now; 0 also when more than the limit was spent. */
  readonly left: number;
  /** How often it has said no, since it was made. */
  readonly refused: number;
  readonly periodMs: number | undefined;
  /** When its period begins anew, in epoch milliseconds; undefined when nothing was spent in it, or there is none. */
  readonly resetsAt: number | undefined;
}

export function newBudget({ limit, periodMs }: BudgetDefinition): BudgetState {
  return { declared: { limit, periodMs }, limit, periodMs, spent: 0, credit: 0, windowStart: undefined, open: [], refused: 0 };
}

/** Whether it can be an amount: of calls, tokens, money. */
export function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

export function numbersOf(state: BudgetState, now: number): BudgetNumbers {
  const { limit, periodMs, spent, credit, windowStart, refused } = inWindow(state, now);
  const reserved = reservedIn(state);
  const left = Math.max(0, limit + credit - spent - reserved);
  const resetsAt = windowStart === undefined || periodMs === undefined ? undefined : windowStart + periodMs;
  return { limit, spent, reserved, credit, left, refused, periodMs, resetsAt };
}

/** Until a new period lets it have so much; undefined when none does. What permits hold counts as if they were settled by then. */
export function retryAfterMs({ limit, spent, credit, resetsAt }: BudgetNumbers, requested: number, now: number): number | undefined {
  if (resetsAt === undefined) return undefined;
  const most = limit + Math.max(0, credit - Math.max(0, spent - limit));
  return requested > most ? undefined : Math.max(1, resetsAt - now);
}

/** What becomes of a budget, and what it answers to a question. */
export function spendBudget(
  before: BudgetState,
  event: BudgetEvent,
  now: number,
): { readonly state: BudgetState; readonly answer: BudgetAnswer } {
  const state = inWindow(before, now);
  switch (event.type) {
    case 'budget.spend': {
      const { amount } = event;
      if (!isAmount(amount)) return invalid(before, 'amount', amount);
      if (amount > numbersOf(state, now).left) return refused(state, amount, now);
      return granted(spending(state, amount, now), now);
    }
    case 'budget.permit': {
      const { key, amount } = event;
      if (typeof key !== 'string') return invalid(before, 'key', key);
      if (!isAmount(amount)) return invalid(before, 'amount', amount);
      if (state.open.some(([held]) => held === key)) return granted(state, now);
      if (amount > numbersOf(state, now).left) return refused(state, amount, now);
      return granted(begun({ ...state, open: [...state.open, [key, amount]] }, now), now);
    }
    case 'budget.settle': {
      const { key, amount } = event;
      if (amount !== undefined && !isAmount(amount)) return invalid(before, 'amount', amount);
      const place = state.open.findIndex(([held]) => held === key);
      const permit = state.open[place];
      if (permit === undefined) return granted(state, now);
      return granted(spending({ ...state, open: state.open.toSpliced(place, 1) }, amount ?? permit[1], now), now);
    }
    case 'budget.add': {
      const { amount } = event;
      if (!isAmount(amount)) return invalid(before, 'amount', amount);
      return granted({ ...state, credit: state.credit + amount }, now);
    }
    case 'budget.limit': {
      const { limit } = event;
      if (!isAmount(limit)) return invalid(before, 'limit', limit);
      return granted({ ...state, limit }, now);
    }
    case 'budget.declare': {
      const { limit, periodMs } = event;
      if (!isAmount(limit)) return invalid(before, 'limit', limit);
      if (periodMs !== undefined && !(periodMs > 0)) return invalid(before, 'periodMs', periodMs);
      const declared = { limit, periodMs };
      if (limit === state.declared.limit && periodMs === state.declared.periodMs) return granted(state, now);
      const changed = { ...state, ...declared, declared };
      if (periodMs === undefined) return granted({ ...changed, windowStart: undefined }, now);
      return granted(state.spent > 0 || reservedIn(state) > 0 ? begun(changed, now) : changed, now);
    }
  }
}

/** The state at a time: after a period nothing counts as spent but what open permits hold. Credit that was needed for what was spent is used. */
function inWindow(state: BudgetState, now: number): BudgetState {
  const { periodMs, windowStart, spent, limit, credit } = state;
  if (periodMs === undefined || windowStart === undefined) return state;
  // Somebody has set the clock back: the period is not longer for that than from now on.
  if (now < windowStart) return { ...state, windowStart: now };
  if (now - windowStart < periodMs) return state;
  const used = Math.min(credit, Math.max(0, spent - limit));
  return { ...state, spent: 0, credit: credit - used, windowStart: undefined };
}

function spending(state: BudgetState, amount: number, now: number): BudgetState {
  return amount === 0 ? state : begun({ ...state, spent: state.spent + amount }, now);
}

/** The period runs from here if none does. */
function begun(state: BudgetState, now: number): BudgetState {
  return state.periodMs === undefined || state.windowStart !== undefined ? state : { ...state, windowStart: now };
}

function reservedIn({ open }: BudgetState): number {
  let sum = 0;
  for (const [, amount] of open) sum += amount;
  return sum;
}

function granted(state: BudgetState, now: number): { state: BudgetState; answer: BudgetAnswer } {
  return { state, answer: { outcome: 'granted', left: numbersOf(state, now).left } };
}

function refused(state: BudgetState, requested: number, now: number): { state: BudgetState; answer: BudgetAnswer } {
  const after = { ...state, refused: state.refused + 1 };
  return { state: after, answer: { outcome: 'refused', requested, status: numbersOf(after, now) } };
}

function invalid(state: BudgetState, member: string, value: unknown): { state: BudgetState; answer: BudgetAnswer } {
  return { state, answer: { outcome: 'invalid', what: `${member} is ${JSON.stringify(value) ?? String(value)}` } };
}
