/**
 * Records on their way out of an encrypted store. What does not open in its place throws `Unopened`, which says where it was and nothing of what it is. Checksums are those of what is handed on.
 */

import { checksum } from '../../core/checksum.js';
import type {
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
  NoteRecord,
  OperationRecord,
  TimerRecord,
  WholeAgent,
} from '../store.js';
import { messagePlace, archiveLabel, keyLabel, checkpointPlace, machinePlace, redirectName, type Addressed } from './places.js';
import { openText, Unopened, type DataKey, type Place, type Sealer } from './sealing.js';
import type { Tokens } from './tokens.js';

/** What there must be to seal and to open. */
export interface RecordKeys {
  readonly dataKeys: ReadonlyMap<string, DataKey>;
  /** Undefined before the store has keys: then it has no records either. */
  readonly sealer: Sealer | undefined;
  readonly tokens: Tokens | undefined;
  /** The note that lets a message be opened by another receiver. */
  redirect(name: string): Pick<NoteRecord, 'author' | 'data'> | undefined;
}

export class RecordOpening {
  protected readonly keys: RecordKeys;

  constructor(keys: RecordKeys) {
    this.keys = keys;
  }

  protected get tokens(): Tokens {
    const { tokens } = this.keys;
    if (tokens === undefined) throw new Unopened('the store has no data key yet');
    return tokens;
  }

  #open(sealed: string, ...place: Place): string {
    try {
      return openText(sealed, place, this.keys.dataKeys);
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
    return (token === undefined ? undefined : this.tokens.text(label, token)) as T;
  }

  protected openMessageId<T extends string | undefined>(messageId: T): T {
    return this.#openToken('message', messageId);
  }

  openRecord(record: AgentRecord): AgentRecord {
    const { key, id, state, outcome, suspect, archive } = record;
    if (state === undefined && outcome === undefined && suspect === undefined && archive === undefined) return record;
    return {
      ...record,
      archive: this.#openToken(archiveLabel(key), archive),
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
    const messageId = this.openMessageId(mail.messageId);
    return { ...mail, messageId, event: this.openEventOf(mail, messageId).event };
  }

  /** Of a message as it is stored. */
  openEvent(stored: Addressed): string {
    return this.openEventOf(stored, this.openMessageId(stored.messageId)).event;
  }

  openLetter(letter: DeadLetter): DeadLetter {
    const messageId = this.openMessageId(letter.messageId);
    const details = this.#opened(letter.details, 'details', letter.event);
    return { ...letter, messageId, details, event: this.openEventOf(letter, messageId).event };
  }

  /** An event, and whose it was when it was sealed: another's only when a note says that it was moved. */
  protected openEventOf(
    { event, to, from }: Addressed,
    messageId: string | undefined,
  ): { readonly event: string; readonly receiver: string } {
    const redirect = this.keys.redirect(redirectName(event, to));
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
    return marks.map((mark) => ({ ...mark, messageId: this.openMessageId(mark.messageId) }));
  }

  openWhole(whole: WholeAgent): WholeAgent {
    const { record } = whole;
    const { key } = record;
    return {
      ...whole,
      record: this.openRecord(record),
      input: this.openInput(record, whole.input),
      checkpoint: whole.checkpoint && this.openCheckpoint(key, whole.checkpoint),
      journal: whole.journal.map((segment) => this.openSegment(key, segment)),
      timers: whole.timers.map((timer) => this.openTimer(key, timer)),
      operations: whole.operations.map((operation) => this.openOperation(key, operation)),
      effects: whole.effects.map((effect) => this.openEffect(key, effect)),
      mailbox: whole.mailbox.map((mail) => this.openMail(mail)),
      marks: this.openMarks(whole.marks),
      artifacts: whole.artifacts.map((name) => this.#openToken('artifact', name)),
    };
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

function sealedIn(entries: string): string {
  const [, sealed] = /^\[\{"seq":\d+,"sealed":"([^"]*)"\}[,\]]/.exec(entries) ?? [];
  if (sealed === undefined) throw new Unopened('a part of a journal: it is not encrypted');
  return sealed;
}
