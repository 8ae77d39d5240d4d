/** The commands for people: what waits for their word, and how they give it. */

import type { CAC } from 'cac';
import { peopleOptions, peopleWords, signature, type PeopleWords } from './commands/people-words.js';
import type { ExitCode, Session } from './session.js';

export interface Typed {
  /** The last value of an option. @throws UsageError */
  readonly text: (name: string) => string | undefined;
  readonly number: (name: string, least: number, otherwise: number) => number;
  /** Names of the options that were given, among these. */
  readonly givenOf: (names: readonly string[]) => readonly string[];
  readonly withStore: (place: string | undefined, work: (session: Session) => Promise<ExitCode>) => Promise<ExitCode>;
}

const limitText = 'ls: print at most so many';
const agentText = 'ls: only of this agent';
const byText = 'Who says so; else whoever is logged in';
const noteText = 'Why; is kept with the answer';

export function addPeopleCommands(cli: CAC, typed: Typed): void {
  const { givenOf, withStore } = typed;
  cli
    .command('holds [...words]', 'Operations held for a person: [ls]; show, done, retry, fail OPERATION; then [STORE]')
    .option('--unknown', 'ls: those that have ended without anybody knowing')
    .option('--agent <id>', agentText)
    .option('--limit <n>', limitText, { default: 100 })
    .option('--result <json>', 'done: what it came to')
    .option('--by <name>', byText)
    .option('--note <text>', noteText)
    .example('  $ statewarden holds ./agents.db')
    .example(`  $ statewarden holds done orders/o-42 --result '{"receipt": 7}' --by ada --note 'seen in the bank'`)
    .action((words: readonly string[]) => {
      const found = peopleWords('holds', words, givenOf(peopleOptions), process.cwd());
      return withStore(found.place, holdWork(found, typed));
    });
  cli
    .command('approvals [...words]', 'Decisions to be made: [ls]; show, approve, reject OPERATION; decide OPERATION DECISION; then [STORE]')
    .option('--agent <id>', agentText)
    .option('--limit <n>', limitText, { default: 100 })
    .option('--by <name>', byText)
    .option('--note <text>', noteText)
    .example('  $ statewarden approvals ./agents.db')
    .example("  $ statewarden approvals approve loans/l-7 --by ada --note 'known for years'")
    .example('  $ statewarden approvals decide medals/m-1 silver')
    .action((words: readonly string[]) => {
      const found = peopleWords('approvals', words, givenOf(peopleOptions), process.cwd());
      return withStore(found.place, approvalWork(found, typed));
    });
  cli
    .command('saga [...words]', 'What is undone: [ls]; show, resume, skip, abandon AGENT; then [STORE]')
    .option('--saga <name>', 'Which of the agent, when it has several')
    .option('--all', 'ls: also those that nobody waits for')
    .option('--agent <id>', agentText)
    .option('--limit <n>', limitText, { default: 100 })
    .option('--by <name>', byText)
    .option('--note <text>', noteText)
    .example('  $ statewarden saga ./agents.db')
    .example('  $ statewarden saga show trips/t-9')
    .example("  $ statewarden saga skip trips/t-9 --by ada --note 'cancelled by phone'")
    .action((words: readonly string[]) => {
      const found = peopleWords('saga', words, givenOf(peopleOptions), process.cwd());
      return withStore(found.place, sagaWork(found, typed));
    });
}

type Work = (session: Session) => Promise<ExitCode>;

/** @throws UsageError */
function holdWork({ action, told: [operation = ''] }: PeopleWords<'holds'>, { text, number, givenOf }: Typed): Work {
  if (action === 'ls') {
    const options = { unknown: givenOf(['unknown']).length > 0, agent: text('agent'), limit: number('limit', 1, 100) };
    return async (session) => (await import('./commands/holds.js')).holds(session, options);
  }
  if (action === 'show') return async (session) => (await import('./commands/holds.js')).showHold(session, operation);
  const order = {
    order: action === 'fail' ? ('failed' as const) : action,
    result: text('result'),
    signed: signature(text('by'), text('note')),
  };
  return async (session) => (await import('./commands/holds.js')).orderHold(session, operation, order);
}

/** @throws UsageError */
function approvalWork({ action, told: [operation = '', decision = ''] }: PeopleWords<'approvals'>, { text, number }: Typed): Work {
  if (action === 'ls') {
    const options = { agent: text('agent'), limit: number('limit', 1, 100) };
    return async (session) => (await import('./commands/approvals.js')).approvals(session, options);
  }
  if (action === 'show') return async (session) => (await import('./commands/approvals.js')).showApproval(session, operation);
  const signed = signature(text('by'), text('note'));
  const decided = action === 'approve' ? 'approved' : action === 'reject' ? 'rejected' : decision;
  return async (session) => (await import('./commands/approvals.js')).decideApproval(session, operation, decided, signed);
}

/** @throws UsageError */
function sagaWork({ action, told: [agent = ''] }: PeopleWords<'saga'>, { text, number, givenOf }: Typed): Work {
  if (action === 'ls') {
    const options = { agent: text('agent'), limit: number('limit', 1, 100), all: givenOf(['all']).length > 0 };
    return async (session) => (await import('./commands/sagas.js')).sagas(session, options);
  }
  const saga = text('saga');
  if (action === 'show') return async (session) => (await import('./commands/sagas.js')).showSaga(session, agent, saga);
  const order = { order: action, saga, signed: signature(text('by'), text('note')) };
  return async (session) => (await import('./commands/sagas.js')).orderOfSaga(session, agent, order);
}
