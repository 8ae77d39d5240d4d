/** `statewarden breakers [ls]`: the breakers of a store, as their nodes have last said. `show NAME`: one with all its figures. `parked [NAME]`: what waits. */

import { parkedOperations, parkedWork, type ParkedWork } from '../../runtime/parked-work.js';
import { findBreaker, ratesUntil, readBreakers, type SeenBreaker, type SeenNote } from '../../runtime/seen-breakers.js';
import { band, currentRate, percent, rate, sparkline, stateColours, stateInWords } from '../breakers.js';
import { away, count, printable, time, type Colour, type Column } from '../output.js';
import type { ExitCode, Session } from '../session.js';

/** Characters of a sparkline in a list: half a minute each. */
const listed = 20;
/** Parked operations that `show` prints. */
const shownParked = 20;

/** A line of the list: a breaker, or what one node says of it. */
interface Line {
  readonly breaker: SeenBreaker;
  readonly said: SeenNote | undefined;
  readonly state: string;
}

export async function breakers({ store, output, now }: Session, { nodes: perNode }: { readonly nodes: boolean }): Promise<ExitCode> {
  const seen = await readBreakers(store);
  const at = now();
  if (output.json) {
    output.document({ breakers: seen.breakers.map((breaker) => document(breaker)), live: seen.nodes.length });
    return 0;
  }
  if (seen.breakers.length === 0) {
    output.line('no breakers');
    return 0;
  }
  const lines = seen.breakers.flatMap((breaker): Line[] =>
    perNode && breaker.notes.length > 0
      ? breaker.notes.map((said) => ({ breaker, said, state: said.note.saved.state }))
      : [{ breaker, said: breaker.notes[0], state: stateInWords(breaker) }],
  );
  const nodeColumns: readonly Column<Line>[] = [
    { title: 'NODE', text: ({ said }) => (said === undefined ? '' : `${said.author}${said.live ? '' : ' (gone)'}`) },
    { title: 'SAID', text: ({ said }) => (said === undefined ? '' : away(said.at, at)) },
  ];
  output.table(lines, [
    { title: 'NAME', text: ({ breaker }) => breaker.name },
    ...(perNode ? nodeColumns : []),
    { title: 'LEVEL', text: ({ said }) => said?.note.level ?? '' },
    { title: 'STATE', text: ({ state }) => state, colour: ({ said }) => colourOf(said) },
    { title: 'FAILURES', text: ({ said }) => (said === undefined ? '' : failures(said, at)) },
    {
      title: 'NORMAL',
      text: ({ said }) => band(said?.note.figures.expected ?? null, said?.note.figures.tolerated ?? null),
      align: 'right',
    },
    { title: 'TRIPS AT', text: ({ said }) => (said === undefined ? '' : percent(said.note.figures.threshold ?? 0)), align: 'right' },
    { title: 'ADMITS', text: ({ said }) => (said === undefined ? '' : rate(said.note.figures.admittedRate)), align: 'right' },
    { title: 'WAITING', text: ({ breaker, said }) => String(perNode ? (said?.note.parked ?? 0) : breaker.waiting), align: 'right' },
    { title: 'SINCE', text: ({ said }) => (said === undefined ? '' : away(said.note.saved.since, at)) },
    { title: 'OPEN UNTIL', text: ({ said }) => until(said, at) },
  ]);
  if (seen.nodes.length === 0) output.line(output.paint('dim', 'no runtime is up: this is what was last said'));
  return 0;
}

/** @throws UnknownBreakerError */
export async function showBreaker(session: Session, name: string): Promise<ExitCode> {
  const { store, output, now } = session;
  const breaker = findBreaker(await readBreakers(store), name);
  const parked = await firstParked(session, { breaker: name }, shownParked);
  const at = now();
  if (output.json) {
    output.document({ ...document(breaker), parked: parked.map(parkedDocument) });
    return 0;
  }
  const [said] = breaker.notes;
  output.facts([
    ['name', printable(name)],
    ['state', output.paint(colourOf(said), stateInWords(breaker) === '' ? 'unknown' : stateInWords(breaker))],
    ...(said === undefined ? [] : factsOf(said, at)),
    ['waiting', breaker.waiting === 0 ? 'nothing' : count(breaker.waiting, 'activity', 'activities')],
  ]);
  if (breaker.notes.length > 1) {
    output.heading('Nodes');
    output.table(breaker.notes, [
      { title: 'NODE', text: ({ author, live }) => `${author}${live ? '' : ' (gone)'}` },
      { title: 'STATE', text: ({ note }) => note.saved.state, colour: (one) => colourOf(one) },
      { title: 'FAILURES', text: (one) => failures(one, at) },
      { title: 'CALLS', text: ({ note }) => String(note.totals.calls), align: 'right' },
      { title: 'FAILED', text: ({ note }) => String(note.totals.failures), align: 'right' },
      { title: 'SAID', text: (one) => away(one.at, at) },
    ]);
  }
  if (parked.length > 0) {
    output.heading('Parked');
    printParked(session, parked);
    if (breaker.waiting > parked.length) {
      output.line(
        output.paint('dim', `… ${String(breaker.waiting - parked.length)} more: statewarden breakers parked ${JSON.stringify(name)}`),
      );
    }
  }
  return 0;
}

/** `name` undefined: of all. @throws UnknownBreakerError */
export async function listParked(session: Session, name: string | undefined, limit: number): Promise<ExitCode> {
  const { store, output } = session;
  if (name !== undefined) findBreaker(await readBreakers(store), name);
  const found = await firstParked(session, name === undefined ? {} : { breaker: name }, limit + 1);
  const parked = found.slice(0, limit);
  const more = found.length > limit;
  if (output.json) output.document({ parked: parked.map(parkedDocument), more });
  else if (parked.length === 0) output.line('nothing is parked');
  else {
    printParked(session, parked);
    if (more) output.line(output.paint('dim', '… more: --limit'));
  }
  return 0;
}

/** In JSON output; the names are stable. */
export function parkedDocument({ wakesAt, ...work }: ParkedWork): object {
  return { ...work, wakesAt: wakesAt ?? null };
}

/** `in 4 s`; `when released`. */
export function wakes(wakesAt: number | undefined, at: number): string {
  return wakesAt === undefined ? 'when released' : wakesAt <= at ? 'when let in' : away(wakesAt, at);
}

async function firstParked({ store }: Session, filter: { readonly breaker?: string }, limit: number): Promise<ParkedWork[]> {
  const all: ParkedWork[] = [];
  for await (const found of parkedOperations(store, filter, Math.min(500, limit))) {
    all.push(...found.slice(0, limit - all.length).map(parkedWork));
    if (all.length >= limit) break;
  }
  return all;
}

function printParked({ output, now }: Session, parked: readonly ParkedWork[]): void {
  const at = now();
  output.table(parked, [
    { title: 'AGENT', text: ({ agentId }) => agentId },
    { title: 'ACTIVITY', text: ({ activity }) => activity },
    { title: 'BREAKER', text: ({ breaker }) => breaker },
    { title: 'SINCE', text: ({ since }) => away(since, at) },
    { title: 'WAKES', text: ({ wakesAt }) => wakes(wakesAt, at) },
    { title: 'OPERATION', text: ({ operationId }) => operationId },
  ]);
}

function failures({ note }: SeenNote, at: number): string {
  const rates = ratesUntil(note, at);
  const current = currentRate(rates);
  return `${sparkline(rates, listed)}${current === undefined ? '' : ` ${percent(current)}`}`;
}

function colourOf(said: SeenNote | undefined): Colour | undefined {
  return said === undefined ? undefined : stateColours[said.note.saved.state];
}

function until(said: SeenNote | undefined, at: number): string {
  if (said?.note.saved.state === 'isolated') return 'released';
  if (said?.note.saved.state !== 'open') return '';
  const { openUntil } = said.note.saved;
  return openUntil > at ? away(openUntil, at) : 'asked again';
}

function factsOf(said: SeenNote, at: number): (readonly [string, string])[] {
  const { note } = said;
  const { saved, figures } = note;
  const rates = ratesUntil(note, at);
  const current = currentRate(rates);
  const number = (value: number | null): string => String(value ?? 0);
  const normal = band(figures.expected, figures.tolerated);
  return [
    ['kind', `${note.kind}, ${note.level}${note.within === null ? '' : `, within ${printable(note.within)}`}`],
    ['since', `${time(saved.since)} (${away(saved.since, at)})${saved.reason === undefined ? '' : `: ${saved.reason}`}`],
    ...(until(said, at) === '' ? [] : [['open until', until(said, at)] as const]),
    ...(note.followed === null ? [] : [['ordered', `${note.followed.order}, ${away(note.followed.at, at)}`] as const]),
    ['last ten minutes', `${sparkline(rates, rates.length)}${current === undefined ? '' : ` ${percent(current)}`}`],
    ['normal', normal === '' ? 'not known' : normal],
    ['trips at', percent(figures.threshold ?? 0)],
    [
      'admits',
      figures.admittedInFlight === null
        ? rate(figures.admittedRate)
        : `${rate(figures.admittedRate)}, ${String(figures.admittedInFlight)} at once`,
    ],
    [
      'window',
      `${number(figures.calls)} calls, ${number(figures.failures)} failed, ${number(figures.slow)} slow, ${number(figures.rejected)} refused, ${number(figures.inFlight)} under way`,
    ],
    ['in all', `${count(note.totals.calls, 'call')}, ${String(note.totals.failures)} failed, since its node was started`],
    ['said by', `${printable(said.author)}${said.live ? '' : ', which is gone'}, ${away(said.at, at)}`],
  ];
}

function document({ name, notes, pending, waiting }: SeenBreaker): object {
  const [said] = notes;
  return {
    name,
    ...(said === undefined ? nothingSaid : noteDocument(said)),
    ordered: pending ?? null,
    waiting,
    nodes: notes.map(nodeDocument),
  };
}

const nothingSaid = {
  level: null,
  kind: null,
  within: null,
  state: null,
  reason: null,
  since: null,
  openUntil: null,
  figures: null,
  trace: null,
  at: null,
};

function noteDocument({ at, note: { level, kind, within, saved, figures, trace } }: SeenNote): object {
  const { state, reason, since, openUntil } = saved;
  return { level, kind, within, state, reason: reason ?? null, since, openUntil: state === 'open' ? openUntil : null, figures, trace, at };
}

function nodeDocument(said: SeenNote): object {
  const { author, live, note } = said;
  return { node: author, live, ...noteDocument(said), totals: note.totals, parked: note.parked };
}
