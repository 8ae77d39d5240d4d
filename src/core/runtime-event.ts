/** What a runtime tells about itself: one union, each with `at` in epoch milliseconds, durations in milliseconds, and `trace`, while somebody traces, a `traceparent`: what it belongs to. */

/** Somebody should look. */
export interface AlertEvent {
  readonly type: 'alert';
  /** The same whenever the same thing is told again; each reminder is a thing of its own. */
  readonly id: string;
  /** `held`: a person is to say what became of an operation. `approval-requested`, `approval-reminder`: a person is to decide. `compensation-failed`: a saga cannot be undone, a person resolves it. */
  readonly alert: 'held' | 'compensation-failed' | 'approval-requested' | 'approval-reminder';
  readonly agentId: string;
  readonly operationId: string;
  readonly activity: string;
  /** Of an operation that belongs to one. */
  readonly saga?: string;
  readonly message: string;
  readonly error?: Error;
}

export type RuntimeEvent = { readonly at: number; readonly trace?: string | undefined } & (
  | AlertEvent
  /** A receiver of alerts has failed too often. */
  | { readonly type: 'alert-failed'; readonly id: string; readonly error: Error }
  | {
      /** A wake-up call for a retry was put into its queue; with `error` it could not be, and only a process that is up will begin the attempt. */
      readonly type: 'dispatch';
      readonly agentId: string;
      readonly operationId: string;
      readonly queue: string;
      /** The task's. */
      readonly name: string;
      /** Epoch milliseconds. */
      readonly dueAt: number;
      readonly error?: Error;
    }
  | { readonly type: 'spawned'; readonly agentId: string; readonly kind: string }
  | {
      readonly type: 'turn';
      readonly agentId: string;
      readonly kind: string;
      readonly sequenceNumber: number;
      /** The event's type. */
      readonly event: string;
      readonly durationMs: number;
    }
  /** A commit group became durable. */
  | {
      readonly type: 'commit';
      readonly agents: number;
      readonly turns: number;
      /** So many of them wrote a checkpoint. */
      readonly checkpoints: number;
      readonly bytes: number;
      readonly durationMs: number;
    }
  | {
      readonly type: 'checkpoint';
      readonly agentId: string;
      readonly kind: string;
      readonly sequenceNumber: number;
      readonly bytes: number;
      /** So much more than the one before; negative when it has shrunk. */
      readonly grownBytes: number;
    }
  | {
      readonly type: 'recovery';
      readonly agentId: string;
      readonly kind: string;
      /** Of the checkpoint it started from; 0 for none. */
      readonly fromSequenceNumber: number;
      readonly replayedTurns: number;
      readonly durationMs: number;
      readonly outcome: 'resumed' | 'parked' | 'failed';
      readonly error?: Error;
    }
  | {
      readonly type: 'activity';
      readonly agentId: string;
      readonly activity: string;
      readonly operationId: string;
      /** Of one that undoes another: that one's id; `*`: of the plan. */
      readonly compensates?: string;
      /** `unknown`: nobody knows whether it was carried out, or its result cannot be kept; `held`: a person is to say; `reconciled`: the outside has said; `keeping`: its result cannot be put into the artifact store, or taken over from there, yet. */
      readonly phase:
        'started' | 'keeping' | 'succeeded' | 'failed' | 'retrying' | 'reused' | 'cancelled' | 'parked' | 'unknown' | 'reconciled' | 'held';
      readonly attempt: number;
      readonly durationMs?: number;
      readonly nextRetryAt?: number;
      /** Of a failed attempt: whether it was not done (`transient`, `persistent`), or may have been (`partial`). */
      readonly failure?: 'transient' | 'persistent' | 'partial';
      /** Of `parked`: who refused it. */
      readonly breaker?: string;
      readonly error?: Error;
    }
  | {
      readonly type: 'effect';
      readonly agentId: string;
      readonly effect: 'action' | 'message' | 'reply' | 'emit' | 'spawn' | 'timer';
      /** Of an action or a timer; the type of what was sent, emitted or replied to; the kind of the agent that is made. */
      readonly name: string;
      readonly error?: Error;
    }
  | { readonly type: 'passivated'; readonly agentId: string; readonly kind: string }
  /** It has gone into the artifact store; `bytes`: there. */
  | { readonly type: 'archived'; readonly agentId: string; readonly kind: string; readonly bytes: number; readonly durationMs: number }
  /** It is back from there. */
  | { readonly type: 'unarchived'; readonly agentId: string; readonly kind: string; readonly durationMs: number }
  | {
      readonly type: 'ended';
      readonly agentId: string;
      readonly kind: string;
      readonly status: 'done' | 'error' | 'stopped';
      readonly error?: Error;
    }
  | {
      /** A supervised agent's turn failed, or it hung; its supervisor decides. */
      readonly type: 'failed';
      readonly agentId: string;
      readonly kind: string;
      readonly reason: string;
      readonly error: Error;
    }
  /** It is down, durably. */
  | { readonly type: 'suspended'; readonly agentId: string; readonly kind: string }
  /** Its supervisor has it up again; `durationMs`: to bring it back. */
  | {
      readonly type: 'restarted';
      readonly agentId: string;
      readonly kind: string;
      readonly supervisor: string;
      readonly durationMs: number;
    }
  | {
      /** It has stopped its children and is down, durably; `exit` and `child`: why, as in `tree()`. */
      readonly type: 'supervisor-ended';
      readonly agentId: string;
      readonly exit: 'shutdown' | 'significant-child' | 'intensity' | 'start-failed';
      readonly child?: string;
    }
  | {
      /** A breaker's state is another one, durably. */
      readonly type: 'breaker';
      readonly breaker: string;
      readonly level: 'call' | 'service' | 'stage';
      readonly from: string;
      readonly to: string;
      readonly reason: string;
      /** Of the sliding window: calls, failures, and those refused. */
      readonly calls: number;
      readonly failures: number;
      readonly rejected: number;
      /** Failure rate beyond which it trips. */
      readonly threshold: number;
      /** Calls a second that may pass; absent: no cap. */
      readonly admittedRate?: number;
      readonly retryAfterMs: number;
    }
  /** What was kept of a breaker cannot be read: it begins as if nothing were known of it. */
  | { readonly type: 'breaker-memory'; readonly breaker: string; readonly error: Error }
  | { readonly type: 'slow-turn'; readonly agentId: string; readonly kind: string; readonly event: string; readonly durationMs: number }
  | { readonly type: 'parked'; readonly agentId: string; readonly kind: string; readonly error: Error }
  | { readonly type: 'lease-lost'; readonly agentId: string; readonly kind: string }
  /** Other nodes are up than before: their names. */
  | { readonly type: 'nodes'; readonly nodes: readonly string[] }
  /** An agent at rest was given up for the node that it belongs to. */
  | { readonly type: 'handed-over'; readonly agentId: string; readonly kind: string; readonly node: number }
  /** `lapsed`: the store has not confirmed this node for a whole term, and it has stopped. `renewed`: it has again. */
  | { readonly type: 'lease'; readonly state: 'lapsed' | 'renewed' }
  | { readonly type: 'dead-letter'; readonly to: string; readonly event: string; readonly reason: string }
  | { readonly type: 'store'; readonly state: 'unavailable' | 'available' | 'poisoned'; readonly error?: Error }
);
