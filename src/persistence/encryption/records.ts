/**
 * Records on their way into an encrypted store and out of it. What agents, users and people say is sealed; what a store orders, finds and decides by stays as it is: ids, kinds, numbers, times, statuses, places in a machine.
 *
 * Each sealed text is bound to its place: agent, field, sequence number or record id. So one does not open in another's place, and neither does another field's. Checksums are those of what is handed on, on either side.
 * An event is bound to its receiver, message id and sender, for mail moves within a store; whoever moves it to another receiver (`redrive`) leaves a note, sealed too, that says so.
 */

import { createHash } from 'node:crypto';
import { checksum } from '../../core/checksum.js';
import type {
  AgentCommit,
  AgentKey,
  AgentOperation,
  AgentRecord,
  CheckpointRecord,
  DeadLetter,
  EffectRecord,
  JournalSegment,
  LoadedAgent,
  MachineRecord,
  MailboxRecord,
  MessageRecord,
  NoteRecord,
  OperationRecord,
  TimerRecord,
} from '../store.js';
import { redirectTopic } from './marker.js';
import { openText, Unopened, type DataKey, type Place, type Sealer } from './sealing.js';
import type { Tokens } from './tokens.js';

type Letter = Omit<DeadLetter, 'position'>;
type Addressed = Pick<MessageRecord, 'to' | 'messageId' | 'from' | 'event'>;

/** Inputs of operations that are remembered until they end. */
const rememberedInputs = 10_000;

/** Not an encoded value: the word for "there is none any more". */
const none = 'null';

const messagePlace = (to: string, { messageId, from }: Pick<Addressed, 'messageId' | 'from'>): Place => ['message', to, messageId, from];
const keyLabel = (activity: string): string => JSON.stringify(['user key', activity]);

/** What there must be to seal and to open. */
export interface RecordKeys {
  readonly dataKeys: ReadonlyMap<string, DataKey>;
  /** Undefined before the store has keys: then it has no records either. */
  readonly sealer: Sealer | undefined;
  readonly tokens: Tokens | undefined;
  /** The note that lets a message be opened by another receiver. */
  redirect(name: string): Pick<NoteRecord, 'author' | 'data'> | undefined;
}

export class Records {
  readonly #ring: RecordKeys;
  /** Of open operations, by agent and id. */
  readonly #inputs = new Map<string, { readonly input: string | undefined; readonly sealed: string }>();

  constructor(ring: RecordKeys) {
    this.#ring = ring;
  }

  // ── In ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get #sealer(): Sealer {
    const { sealer } = this.#ring;
    if (sealer === undefined) throw new Unopened('the store has no data key yet');
    return sealer;
  }

  get #tokens(): Tokens {
    const { tokens } = this.#ring;
    if (tokens === undefined) throw new Unopened('the store has no data key yet');
    return tokens;
  }

  seal(text: string, ...place: Place): string {
    return this.#sealer.seal(text, place);
  }

  #sealed<T extends string | undefined>(text: T, ...place: Place): T {
    return (text === undefined ? undefined : this.#sealer.seal(text, place)) as T;
  }

  messageId<T extends string | undefined>(messageId: T): T {
    return (messageId === undefined ? undefined : this.#tokens.token('message', messageId)) as T;
  }

  userKey(activity: string, userKey: string): string {
    return this.#tokens.token(keyLabel(activity), userKey);
  }

  artifact(name: string): string {
    return this.#tokens.token('artifact', name);
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
    const { receiver } = this.#openEvent(stored, this.#openMessageId(stored.messageId));
    if (receiver === to) return undefined;
    const author = redirectName(stored.event, to);
    return { topic: redirectTopic, author, data: this.seal(receiver, 'redirect', author), at };
  }

  // ── Out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #open(sealed: string, ...place: Place): string {
    try {
      return openText(sealed, place, this.#ring.dataKeys);
    } catch (error) {
      if (!(error instanceof Unopened)) throw error;
      const where = place.filter((part) => part !== undefined).join(' ');
      throw new Unopened(`${typeof place[0] === 'number' ? 'agent ' : ''}${where}: ${error.message}`, error.unknownKey);
    }
  }

  #opened<T extends string | undefined>(sealed: T, ...place: Place): T {
    return (sealed === undefined ? undefined : this.#open(sealed, ...place)) as T;
  }

  #openToken<T extends string | undefined>(label: string, token: T): T {
    return (token === undefined ? undefined : this.#tokens.text(label, token)) as T;
  }

  #openMessageId<T extends string | undefined>(messageId: T): T {
    return this.#openToken('message', messageId);
  }

  openRecord(record: AgentRecord): AgentRecord {
    const { key, id, state, outcome, suspect } = record;
    if (state === undefined && outcome === undefined && suspect === undefined) return record;
    return {
      ...record,
      state: this.#opened(state, key, id, 'state'),
      outcome: this.#opened(outcome, key, id, 'outcome'),
      suspect: this.#opened(suspect, key, id, 'suspect'),
    };
  }

  openInput({ key, id }: AgentRecord, input: string | undefined): string | undefined {
    return this.#opened(input, key, id, 'input');
  }

  openSegment(key: AgentKey, segment: JournalSegment): JournalSegment {
    const { firstSequenceNumber: first, lastSequenceNumber: last } = segment;
    const entries = this.#open(sealedIn(segment.entries), key, 'journal', first, last);
    return { ...segment, entries, checksum: checksum(entries) };
  }

  openCheckpoint(key: AgentKey, checkpoint: CheckpointRecord): CheckpointRecord {
    const data = this.#open(checkpoint.data, ...checkpointPlace(key, checkpoint));
    return { ...checkpoint, data, checksum: checksum(data) };
  }

  openTimer(key: AgentKey, timer: TimerRecord): TimerRecord {
    return { ...timer, event: this.#open(timer.event, key, 'timer', timer.id, timer.target) };
  }

  /** `key`: undefined when nobody says whose it is. */
  openOperation(key: AgentKey | undefined, operation: OperationRecord): OperationRecord {
    const { id, activity, input, outcome, resolutions, userKey, artifact } = operation;
    const opened = (sealed: string | undefined, field: string): string | undefined => {
      if (sealed === undefined) return undefined;
      const text = this.#open(sealed, 'operation', id, activity, field);
      const owner = text.indexOf(' ');
      if (key === undefined || text.slice(0, owner) === String(key)) return text.slice(owner + 1);
      throw new Unopened(`operation ${id} ${field}: it is another agent's`);
    };
    return {
      ...operation,
      input: opened(input, 'input'),
      outcome: opened(outcome, 'outcome'),
      resolutions: opened(resolutions, 'resolutions'),
      userKey: this.#openToken(keyLabel(activity), userKey),
      artifact: this.#openToken('artifact', artifact),
    };
  }

  openAgentOperation(found: AgentOperation): AgentOperation {
    return { ...found, operation: this.openOperation(found.agent, found.operation) };
  }

  openEffect(key: AgentKey, effect: EffectRecord): EffectRecord {
    const place: Place = [key, 'effect', effect.id, effect.path, effect.type];
    return {
      ...effect,
      params: this.#opened(effect.params, ...place, 'params'),
      event: this.#open(effect.event, ...place, 'event'),
      context: this.#opened(effect.context, ...place, 'context'),
    };
  }

  openMail(mail: MailboxRecord): MailboxRecord {
    const messageId = this.#openMessageId(mail.messageId);
    return { ...mail, messageId, event: this.#openEvent(mail, messageId).event };
  }

  /** Of a message as it is stored. */
  openEvent(stored: Addressed): string {
    return this.#openEvent(stored, this.#openMessageId(stored.messageId)).event;
  }

  openLetter(letter: DeadLetter): DeadLetter {
    const messageId = this.#openMessageId(letter.messageId);
    const details = this.#opened(letter.details, 'details', letter.event);
    return { ...letter, messageId, details, event: this.#openEvent(letter, messageId).event };
  }

  /** An event, and whose it was when it was sealed: another's only when a note says that it was moved. */
  #openEvent({ event, to, from }: Addressed, messageId: string | undefined): { readonly event: string; readonly receiver: string } {
    const redirect = this.#ring.redirect(redirectName(event, to));
    const receiver = redirect === undefined ? to : this.#open(redirect.data, 'redirect', redirect.author);
    return { event: this.#open(event, ...messagePlace(receiver, { messageId, from })), receiver };
  }

  openNote(note: NoteRecord): NoteRecord {
    return { ...note, data: this.#open(note.data, 'note', note.topic, note.author, note.at) };
  }

  openMachine(machine: MachineRecord): MachineRecord {
    return { ...machine, definition: this.#open(machine.definition, ...machinePlace(machine)) };
  }

  openMarks(marks: LoadedAgent['marks']): LoadedAgent['marks'] {
    return marks.map((mark) => ({ ...mark, messageId: this.#openMessageId(mark.messageId) }));
  }

  openAgent<T extends LoadedAgent>(loaded: T): T {
    const { record } = loaded;
    const { key } = record;
    return {
      ...loaded,
      record: this.openRecord(record),
      input: this.openInput(record, loaded.input),
      checkpoint: loaded.checkpoint && this.openCheckpoint(key, loaded.checkpoint),
      tail: loaded.tail.map((segment) => this.openSegment(key, segment)),
      timers: loaded.timers.map((timer) => this.openTimer(key, timer)),
      operations: loaded.operations.map((operation) => this.openOperation(key, operation)),
      effects: loaded.effects.map((effect) => this.openEffect(key, effect)),
      mailbox: loaded.mailbox.map((mail) => this.openMail(mail)),
      marks: this.openMarks(loaded.marks),
    };
  }
}

function checkpointPlace(key: AgentKey, { sequenceNumber, version, schema }: CheckpointRecord): Place {
  return [key, 'checkpoint', sequenceNumber, version, schema];
}

function machinePlace({ kind, version, schema }: MachineRecord): Place {
  return ['machine', kind, version, schema];
}

/** Of a sealed event and a receiver that it was moved to. */
function redirectName(event: string, to: string): string {
  return createHash('sha256').update(`${event} ${to}`).digest('base64url');
}

function sealedIn(entries: string): string {
  const [, sealed] = /^\[\{"seq":\d+,"sealed":"([^"]*)"\}[,\]]/.exec(entries) ?? [];
  if (sealed === undefined) throw new Unopened('a part of a journal: it is not encrypted');
  return sealed;
}
