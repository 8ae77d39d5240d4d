/** What a store answers to those who write: expected outcomes are values, errors are for the rest. */

import type { AgentKey, AgentRecord } from './store.js';

/** What became of a posted message. */
export type PostOutcome =
  | { readonly outcome: 'accepted'; readonly position: number; readonly agent: AgentKey }
  /** Its message id was accepted before: waiting (`sequenceNumber` 0) or taken. */
  | { readonly outcome: 'duplicate'; readonly sequenceNumber: number }
  | { readonly outcome: 'dead-letter'; readonly reason: 'no-such-agent' | 'agent-ended' }
  | { readonly outcome: 'full' };

/** What became of a dead letter that was to be redriven. */
export type RedriveOutcome =
  | { readonly outcome: 'redriven'; readonly position: number; readonly agent: AgentKey }
  /** Its message id was accepted before, so its event waits (`sequenceNumber` 0) or was taken: the letter is gone. */
  | { readonly outcome: 'duplicate'; readonly sequenceNumber: number }
  /** It stays where it is. */
  | { readonly outcome: 'kept'; readonly reason: 'no-such-agent' | 'agent-ended' | 'mailbox-full' }
  /** Redriven or discarded before. */
  | { readonly outcome: 'absent' };

export type CommitOutcome =
  | {
      readonly outcome: 'applied';
      /** One for each of `messages`, in order. */
      readonly messages: readonly PostOutcome[];
      /** For each of `spawns`: the record that now has the id, its own or an older one. */
      readonly spawned: readonly AgentRecord[];
    }
  /** `create` found the id in use; nothing was written. */
  | { readonly outcome: 'exists'; readonly record: AgentRecord }
  /** The fence or the sequence number is not the expected one; nothing was written. */
  | { readonly outcome: 'refused'; readonly fence: number; readonly sequenceNumber: number };
