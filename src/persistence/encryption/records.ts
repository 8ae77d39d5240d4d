/**
 * Records on their way into an encrypted store and out of it. What agents, users and people say is sealed; what a store orders, finds and decides by stays as it is: ids, kinds, numbers, times, statuses, places in a machine.
 *
 * Each sealed text is bound to its place: agent, field, sequence number or record id. So one does not open in another's place, and neither does another field's. Checksums are those of what is handed on, on either side.
 * An event is bound to its receiver, message id and sender, for mail moves within a store; whoever moves it to another receiver (`redrive`) leaves a note, sealed too, that says so.
 */

import { checksum } from '../../core/checksum.js';
import type {
  AgentCommit,
  AgentKey,
  AgentRecord,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  MachineRecord,
  MessageRecord,
  NoteRecord,
  OperationRecord,
  TimerRecord,
  WholeAgent,
} from '../store.js';
import { redirectTopic } from './marker.js';
import { messagePlace, archiveLabel, keyLabel, checkpointPlace, machinePlace, redirectName, type Addressed } from './places.js';
import { RecordOpening } from './record-opening.js';
import { Unopened, type Place, type Sealer } from './sealing.js';

type Letter = Omit<DeadLetter, 'position'>;

/** Inputs of operations that are remembered until they end. */
const rememberedInputs = 10_000;

/** Not an encoded value: the word for "there is none any more". */
const none = 'null';

export class Records extends RecordOpening {
  /** Of open operations, by agent and id. */
  readonly #inputs = new Map<string, { readonly input: string | undefined; readonly sealed: string }>();

  get #sealer(): Sealer {
    const { sealer } = this.keys;
    if (sealer === undefined) throw new Unopened('the store has no data key yet');
    return sealer;
  }

  seal(text: string, ...place: Place): string {
    return this.#sealer.seal(text, place);
  }

  #sealed<T extends string | undefined>(text: T, ...place: Place): T {
    return (text === undefined ? undefined : this.#sealer.seal(text, place)) as T;
  }

  messageId<T extends string | undefined>(messageId: T): T {
    return (messageId === undefined ? undefined : this.tokens.token('message', messageId)) as T;
  }

  userKey(activity: string, userKey: string): string {
    return this.tokens.token(keyLabel(activity), userKey);
  }

  artifact(name: string): string {
    return this.tokens.token('artifact', name);
  }

  commit(commit: AgentCommit): AgentCommit {
    const { key, id } = commit;
    return {
      ...commit,
      ...(commit.create?.input === undefined ? {} : { create: { ...commit.create, input: this.input(key, id, commit.create.input) } }),
      ...(commit.outcome === undefined ? {} : { outcome: this.seal(commit.outcome, key, id, 'outcome') }),
      ...(commit.state === undefined ? {} : { state: this.seal(commit.state, key, id, 'state') }),
      ...(commit.suspect === undefined || commit.suspect === none ? {} : { suspect: this.seal(commit.suspect, key, id, 'suspect') }),
      ...(commit.segment === undefined ? {} : { segment: this.segment(key, commit.segment) }),
      ...(commit.checkpoint === undefined ? {} : { checkpoint: this.checkpoint(key, commit.checkpoint) }),
      ...(commit.timers === undefined ? {} : { timers: commit.timers.map((timer) => this.timer(key, timer)) }),
      ...(commit.marks === undefined
        ? {}
        : { marks: commit.marks.map((mark) => ({ ...mark, messageId: this.messageId(mark.messageId) })) }),
      ...(commit.operations === undefined ? {} : { operations: commit.operations.map((operation) => this.operation(key, operation)) }),
      ...(commit.effects === undefined ? {} : { effects: commit.effects.map((effect) => this.effect(key, effect)) }),
      ...(commit.messages === undefined ? {} : { messages: commit.messages.map((message) => this.message(message)) }),
      ...(commit.spawns === undefined
        ? {}
        : { spawns: commit.spawns.map((spawn) => ({ ...spawn, input: this.input(spawn.key, spawn.id, spawn.input) })) }),
      ...(commit.deadLetters === undefined ? {} : { deadLetters: commit.deadLetters.map((letter) => this.letter(letter)) }),
    };
  }

  /** Of a pointer to where an agent is archived: it is compared. */
  archive(key: AgentKey, pointer: string): string {
    return this.tokens.token(archiveLabel(key), pointer);
  }

  #record(record: AgentRecord): AgentRecord {
    const { key, id, state, outcome, suspect, archive } = record;
    return {
      ...record,
      state: this.#sealed(state, key, id, 'state'),
      outcome: this.#sealed(outcome, key, id, 'outcome'),
      suspect: this.#sealed(suspect, key, id, 'suspect'),
      archive: archive === undefined ? undefined : this.archive(key, archive),
    };
  }

  whole(whole: WholeAgent): WholeAgent {
    const { record } = whole;
    const { key, id } = record;
    return {
      ...whole,
      record: this.#record(record),
      input: this.input(key, id, whole.input),
      checkpoint: whole.checkpoint && this.checkpoint(key, whole.checkpoint),
      journal: whole.journal.map((segment) => this.segment(key, segment)),
      timers: whole.timers.map((timer) => this.timer(key, timer)),
      operations: whole.operations.map((operation) => this.operation(key, operation)),
      effects: whole.effects.map((effect) => this.effect(key, effect)),
      mailbox: whole.mailbox.map((mail) => ({ ...mail, event: this.event(mail), messageId: this.messageId(mail.messageId) })),
      marks: whole.marks.map((mark) => ({ ...mark, messageId: this.messageId(mark.messageId) })),
      artifacts: whole.artifacts.map((name) => this.artifact(name)),
    };
  }

  input(key: AgentKey, id: string, input: string | undefined): string | undefined {
    return this.#sealed(input, key, id, 'input');
  }

  /** As many entries as before, of which the first has them all: stores count them. */
  segment(key: AgentKey, segment: JournalSegment): JournalSegment {
    const { firstSequenceNumber: first, lastSequenceNumber: last } = segment;
    const all = this.seal(segment.entries, key, 'journal', first, last);
    let entries = `[{"seq":${String(first)},"sealed":"${all}"}`;
    for (let seq = first + 1; seq <= last; seq += 1) entries += `,{"seq":${String(seq)}}`;
    entries += ']';
    return { ...segment, entries, checksum: checksum(entries) };
  }

  checkpoint(key: AgentKey, checkpoint: CheckpointRecord): CheckpointRecord {
    const data = this.seal(checkpoint.data, ...checkpointPlace(key, checkpoint));
    return { ...checkpoint, data, checksum: checksum(data) };
  }

  timer(key: AgentKey, timer: TimerRecord): TimerRecord {
    return { ...timer, event: this.seal(timer.event, key, 'timer', timer.id, timer.target) };
  }

  /** Whose it is stands in the sealed texts: `keyed` gives operations without their agents. */
  operation(key: AgentKey, operation: OperationRecord): OperationRecord {
    const { id, activity, input, outcome, resolutions, userKey, artifact } = operation;
    const sealed = (text: string | undefined, field: string): string | undefined =>
      text === undefined ? undefined : this.seal(`${String(key)} ${text}`, 'operation', id, activity, field);
    return {
      ...operation,
      input: this.#operationInput(`${String(key)} ${id}`, operation, () => sealed(input, 'input')),
      outcome: sealed(outcome, 'outcome'),
      resolutions: sealed(resolutions, 'resolutions'),
      userKey: userKey === undefined ? undefined : this.userKey(activity, userKey),
      artifact: artifact === undefined ? undefined : this.artifact(artifact),
    };
  }

  /** The same at every writing of an open operation, so it is sealed once. */
  #operationInput(name: string, { input, settledIn }: OperationRecord, seal: () => string | undefined): string | undefined {
    const known = this.#inputs.get(name);
    const isKnown = known?.input === input;
    const sealed = isKnown ? known?.sealed : seal();
    if (settledIn !== 0) this.#inputs.delete(name);
    else if (!isKnown && sealed !== undefined && this.#inputs.size < rememberedInputs) this.#inputs.set(name, { input, sealed });
    return sealed;
  }

  effect(key: AgentKey, effect: EffectRecord): EffectRecord {
    const place: Place = [key, 'effect', effect.id, effect.path, effect.type];
    return {
      ...effect,
      params: this.#sealed(effect.params, ...place, 'params'),
      event: this.seal(effect.event, ...place, 'event'),
      context: this.#sealed(effect.context, ...place, 'context'),
    };
  }

  message(message: MessageRecord): MessageRecord {
    return {
      ...message,
      event: this.seal(message.event, ...messagePlace(message.to, message)),
      messageId: this.messageId(message.messageId),
    };
  }

  /** An event that was opened. */
  event({ to, messageId, from, event }: Addressed): string {
    return this.seal(event, ...messagePlace(to, { messageId, from }));
  }

  letter(letter: Letter): Letter {
    const event = this.seal(letter.event, ...messagePlace(letter.to, letter));
    return { ...letter, event, messageId: this.messageId(letter.messageId), details: this.#sealed(letter.details, 'details', event) };
  }

  note(note: NoteRecord): NoteRecord {
    return { ...note, data: this.seal(note.data, 'note', note.topic, note.author, note.at) };
  }

  machine(machine: MachineRecord): MachineRecord {
    return { ...machine, definition: this.seal(machine.definition, ...machinePlace(machine)) };
  }

  /** Lets a stored letter be opened by `to`. Undefined when it can be already. */
  redirect(stored: DeadLetter, to: string, at: number): NoteRecord | undefined {
    const { receiver } = this.openEventOf(stored, this.openMessageId(stored.messageId));
    if (receiver === to) return undefined;
    const author = redirectName(stored.event, to);
    return { topic: redirectTopic, author, data: this.seal(receiver, 'redirect', author), at };
  }
}
