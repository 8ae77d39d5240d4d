#!/usr/bin/env node
/**
 * The `statewarden` command: arguments in, exit code out. 0: done. 1: it failed, or found a problem. 2: called wrongly. Answers go to standard
 * output, everything else to standard error; an error is `code: message` and a hint, or one JSON object with `--json`.
 */

import { cac, type Command } from 'cac';
import { readFileSync } from 'node:fs';
import { BadEventError, StatewardenError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { breakerOptions, breakerWords, type BreakerWords } from './commands/breaker-words.js';
import { addCloudCommands } from './cloud-commands.js';
import { addConsoleCommands } from './console-commands.js';
import { addCopyCommand } from './copy-command.js';
import { deadLetterWords } from './commands/dead-letter-words.js';
import { fleetOptions, fleetWords, type FleetWords } from './commands/fleet-words.js';
import { flags } from './flags.js';
import { addGatewayCommand } from './gateway-command.js';
import { addMachineCommand } from './machine-command.js';
import { numberOption, textOption } from './options.js';
import { Output } from './output.js';
import { helpOf } from './help.js';
import { addInspectCommand } from './inspect-command.js';
import { addKeysCommands, keysPath } from './keys-commands.js';
import { addPeopleCommands } from './people-commands.js';
import type { ExitCode, Session } from './session.js';
import { findStore, looksLikeStore, openStore, sealedStore } from './store-url.js';
import type { StorePlace } from '../persistence/urls/store-url.js';
import { ArtifactsOnDemand, namedArtifacts } from './artifacts-url.js';
import { addTierCommands } from './tier-commands.js';
import { UsageError } from './usage-error.js';

const args = process.argv.slice(2);
const beforeDashes = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
const json = beforeDashes.includes('--json');
/** `--wait` of a gateway has a value. */
const isFlag = (arg: string): boolean => flags.includes(arg) && !(arg === '--wait' && args[0] === 'gateway');
const ordered = [...beforeDashes.filter((arg) => !isFlag(arg)), ...beforeDashes.filter(isFlag)];
const now = (): number => Date.now();

const text = (name: string): string | undefined => textOption(args, name);
const number = (name: string, least: number, otherwise: number): number => numberOption(args, name, least, otherwise);

/** `place`: the store as the last word of the command. @throws UsageError */
function urlOf(place: string | undefined): StorePlace {
  const option = text('store');
  if (option !== undefined && place !== undefined) {
    throw new UsageError(`two stores: "${place}" and --store "${option}"`, 'Give one of them.');
  }
  return findStore(option ?? place, process.env, process.cwd());
}

async function withStore(place: string | undefined, work: (session: Session) => Promise<ExitCode>): Promise<ExitCode> {
  const url = urlOf(place);
  const keys = keysPath(text('keys'), process.env);
  const store = await openStore(url, now, keys);
  const artifacts = new ArtifactsOnDemand(async () => namedArtifacts(text('artifacts'), now, await sealedStore(url, keys)));
  const output = new Output(process.stdout, process.env, json);
  try {
    return await work({ store, url, artifacts: artifacts.get, output, aside: process.stderr, now });
  } finally {
    await store.close();
    await artifacts.close();
  }
}

/** `[STORE] [ID]`, in either order where it can be told which is which. */
function treeWords(words: readonly string[]): { place: string | undefined; id: string | undefined } {
  const [first, second] = words;
  if (text('store') !== undefined && second === undefined) return { place: undefined, id: first };
  const storeFirst = first === undefined || looksLikeStore(first, process.cwd());
  if (second === undefined) return storeFirst ? { place: first, id: undefined } : { place: undefined, id: first };
  return storeFirst || !looksLikeStore(second, process.cwd()) ? { place: first, id: second } : { place: second, id: first };
}

/** @throws UsageError */
async function fleetWork({ action, id, argument }: FleetWords): Promise<(session: Session) => Promise<ExitCode>> {
  const waiting = { wait: beforeDashes.includes('--wait'), timeoutMs: number('timeout', 1, Infinity) * 1_000 };
  switch (action) {
    case 'ls':
      return async (session) => (await import('./commands/fleet.js')).fleets(session);
    case 'show': {
      const options = { limit: number('limit', 1, 10), all: beforeDashes.includes('--all') };
      return async (session) => (await import('./commands/fleet.js')).showFleet(session, id, options);
    }
    case 'submit': {
      const job = text('id');
      return async (session) => (await import('./commands/fleet-orders.js')).submitJob(session, id, argument, job);
    }
    case 'resize': {
      const { orderFleet, parseSize } = await import('./commands/fleet-orders.js');
      const size = parseSize(argument);
      return (session) => orderFleet(session, id, { type: 'resize', size, caller: '' }, waiting);
    }
    case 'drain':
      return async (session) =>
        (await import('./commands/fleet-orders.js')).orderFleet(session, id, { type: 'drain', caller: '' }, waiting);
    case 'open':
      return async (session) => (await import('./commands/fleet-orders.js')).orderFleet(session, id, { type: 'open' }, waiting);
    case 'roll': {
      const atOnce = number('at-once', 1, 1);
      return async (session) =>
        (await import('./commands/fleet-orders.js')).orderFleet(session, id, { type: 'roll', atOnce, caller: '' }, waiting);
    }
  }
}

/** @throws UsageError */
function breakerWork({ action, name = '' }: BreakerWords): (session: Session) => Promise<ExitCode> {
  switch (action) {
    case 'ls':
      return async (session) => (await import('./commands/breakers.js')).breakers(session, { nodes: beforeDashes.includes('--nodes') });
    case 'show':
      return async (session) => (await import('./commands/breakers.js')).showBreaker(session, name);
    case 'isolate':
    case 'release':
      return async (session) => (await import('./commands/breaker-orders.js')).orderBreaker(session, name, action);
    case 'parked': {
      const limit = number('limit', 1, 100);
      return async (session) => (await import('./commands/breakers.js')).listParked(session, name === '' ? undefined : name, limit);
    }
    case 'release-parked':
    case 'cancel': {
      const operation = text('operation');
      const which = operation === undefined ? { breaker: name } : { operation };
      return async (session) =>
        (await import('./commands/breaker-orders.js')).orderWaiting(session, { order: action === 'cancel' ? 'cancel' : 'release', which });
    }
  }
}

/** Names of the options that were given, among these. */
const givenOf = (names: readonly string[]): string[] =>
  names.filter((name) => beforeDashes.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)));

const cli = cac('statewarden');
const limitText = 'Print at most so many';

cli
  .command('ls [store]', 'List agents')
  .option('--kind <kind>', 'Only of this kind')
  .option('--status <status>', 'Only with this status: active, done, error, stopped, parked, suspended')
  .option('--prefix <prefix>', 'Only ids that start so')
  .option('--after <id>', 'Only ids after this one')
  .option('--limit <n>', limitText, { default: 100 })
  .example('  $ statewarden ls --status parked')
  .example('  $ statewarden ls --prefix orders/ --json')
  .action((place?: string) => {
    const options = {
      kind: text('kind'),
      status: text('status'),
      prefix: text('prefix'),
      after: text('after'),
      limit: number('limit', 1, 100),
    };
    return withStore(place, async (session) => (await import('./commands/ls.js')).list(session, options));
  });
cli
  .command('show <id> [store]', 'Show an agent: state, supervisor, context, timers, activities, pending effects, mailbox')
  .option('--artifacts <url>', 'Where archived agents are')
  .example('  $ statewarden show orders/o-42')
  .example('  $ statewarden show orders/o-42 --json | jq .context')
  .action((id: string, place?: string) => withStore(place, async (session) => (await import('./commands/show.js')).show(session, id)));
cli
  .command('tree [store] [id]', 'Draw the supervision trees, or the one under a supervisor')
  .option('--all', 'Draw all children of a supervisor and all members of a fleet, however many')
  .example('  $ statewarden tree ./agents.db')
  .example('  $ statewarden tree ./agents.db team --all')
  .action((...words: unknown[]) => {
    const { place, id } = treeWords(words.filter((word) => typeof word === 'string'));
    return withStore(place, async (session) =>
      (await import('./commands/tree.js')).tree(session, { id, all: beforeDashes.includes('--all') }),
    );
  });
cli
  .command('journal <id> [store]', 'List the events an agent has accepted')
  .option('--after <n>', 'Only events after this sequence number', { default: 0 })
  .option('--limit <n>', limitText, { default: 100 })
  .option('--artifacts <url>', 'Where archived agents are')
  .example('  $ statewarden journal orders/o-42 --after 100')
  .action((id: string, place?: string) => {
    const options = { after: number('after', 0, 0), limit: number('limit', 1, 100) };
    return withStore(place, async (session) => (await import('./commands/journal.js')).journal(session, id, options));
  });
cli
  .command('send <id> <event> [store]', "Put an event, TYPE or JSON, into an agent's mailbox, durably")
  .option('--message-id <id>', 'Send it once: the same id twice is one event')
  .example('  $ statewarden send orders/o-42 CANCEL')
  .example(`  $ statewarden send orders/o-42 '{"type":"PAY","cents":999}' --message-id pay-1`)
  .action((id: string, event: string, place?: string) => {
    const messageId = text('message-id');
    return withStore(place, async (session) => (await import('./commands/send.js')).send(session, id, event, messageId));
  });
cli
  .command('dead-letters [...words]', 'Events that no agent could take: ls, show, redrive, discard [POSITION …] [STORE]')
  .option('--to <id>', 'Only those for this agent')
  .option('--type <type>', 'Only events of this type')
  .option('--reason <reason>', 'Only with this reason')
  .option('--group <id>', 'Only of this group')
  .option('--all', 'redrive, discard: all there are')
  .option('--groups', 'ls: one line for all with the same cause')
  .option('--after <n>', 'ls: only after this position', { default: 0 })
  .option('--limit <n>', limitText, { default: 100 })
  .option('--into <id>', 'redrive: into the mailbox of this agent')
  .option('--rate <n>', 'redrive: at most so many events a second')
  .example('  $ statewarden dead-letters ls --groups')
  .example('  $ statewarden dead-letters show 7')
  .example('  $ statewarden dead-letters redrive --group 1f2e3d4c --rate 50')
  .example('  $ statewarden dead-letters discard 7 9')
  .action((words: readonly string[]) => {
    const { action, positions, place } = deadLetterWords(words);
    const given = { to: text('to'), type: text('type'), reason: text('reason'), group: text('group') };
    const options = {
      action,
      positions,
      filter: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      all: beforeDashes.includes('--all'),
      groups: beforeDashes.includes('--groups'),
      after: number('after', 0, 0),
      limit: number('limit', 1, 100),
      into: text('into'),
      rate: number('rate', 1, Infinity),
    };
    return withStore(place, async (session) => (await import('./commands/dead-letters.js')).deadLetters(session, options));
  });
cli
  .command('budgets [...words]', 'How budgets stand: [ls] [STORE]; or raise what is left: add NAME AMOUNT [STORE]')
  .option('--key <key>', 'add: once, however often it is called with this key')
  .example('  $ statewarden budgets ./agents.db')
  .example('  $ statewarden budgets add tokens 100000 --key invoice-7')
  .action(async (words: readonly string[]) => {
    const { addToBudget, budgets, budgetWords } = await import('./commands/budgets.js');
    const { name, amount, place } = budgetWords(words);
    const key = text('key');
    return withStore(place, (session) =>
      name === undefined || amount === undefined ? budgets(session) : addToBudget(session, name, amount, key),
    );
  });
cli
  .command('fleet [...words]', 'Fleets: [ls]; show ID; submit ID EVENT; resize ID SIZE; drain ID; open ID; roll ID; then [STORE]')
  .option('--id <job>', 'submit: id of the job; the same one twice is one job')
  .option('--at-once <n>', 'roll: members that are away at a time', { default: 1 })
  .option('--wait', 'resize, drain, roll: until it has come true')
  .option('--timeout <seconds>', '--wait: for so long at most')
  .option('--all', 'show: all members')
  .option('--limit <n>', 'show: at most so many members, waiting jobs and results', { default: 10 })
  .example('  $ statewarden fleet ./agents.db')
  .example('  $ statewarden fleet show researchers')
  .example(`  $ statewarden fleet submit researchers '{"type":"FIND","topic":"fsync"}' --id find-7`)
  .example('  $ statewarden fleet resize researchers 12 --wait --timeout 60')
  .example('  $ statewarden fleet drain researchers --wait')
  .example('  $ statewarden fleet open researchers')
  .example('  $ statewarden fleet roll researchers --at-once 2 --wait')
  .action(async (words: readonly string[]) => {
    const found = fleetWords(words, givenOf(fleetOptions), process.cwd());
    return withStore(found.place, await fleetWork(found));
  });
cli
  .command(
    'breakers [...words]',
    'Breakers: [ls]; show NAME; isolate NAME; release NAME; parked [NAME]; release-parked NAME; cancel NAME; then [STORE]',
  )
  .option('--nodes', 'ls: what each node says')
  .option('--operation <id>', 'release-parked, cancel: this one')
  .option('--limit <n>', 'parked: at most so many', { default: 100 })
  .example('  $ statewarden breakers ./agents.db')
  .example('  $ statewarden breakers show search-api')
  .example('  $ statewarden breakers isolate llm/gpt')
  .example('  $ statewarden breakers release-parked search-api')
  .action((words: readonly string[]) => {
    const found = breakerWords(words, givenOf(breakerOptions), process.cwd());
    return withStore(found.place, breakerWork(found));
  });
addMachineCommand(cli, { text, number, givenOf, withStore });
addPeopleCommands(cli, { text, number, givenOf, withStore });
addKeysCommands(cli, {
  text,
  givenOf,
  env: process.env,
  folder: process.cwd(),
  tools: () => ({ output: new Output(process.stdout, process.env, json), aside: process.stderr, now }),
});
addInspectCommand(cli, { text, number, givenOf, withStore });
addTierCommands(cli, { text, number, givenOf, withStore });
addCopyCommand(cli, { text, givenOf, now, output: () => new Output(process.stdout, process.env, json) });
addGatewayCommand(cli, { args: beforeDashes, env: process.env, output: () => new Output(process.stdout, process.env, json) });
addConsoleCommands(cli, { text, number, givenOf, withStore, rest: args.slice(beforeDashes.length + 1), now });
cli
  .command('doctor [store]', 'Check the store and look for trouble; exit code 1 when there is some')
  .example('  $ statewarden doctor ./agents.db')
  .action((place?: string) => withStore(place, async (session) => (await import('./commands/doctor.js')).doctor(session)));
addCloudCommands(cli, {
  has: (flag) => beforeDashes.includes(flag),
  urlOf,
  output: () => new Output(process.stdout, process.env, json),
  aside: process.stderr,
});

cli.option(
  '--store <url>',
  'sqlite:PATH, a path, firestore://PROJECT, or spanner://PROJECT/INSTANCE/DATABASE; else STATEWARDEN_STORE, statewarden.config.json, sqlite:./agents.db; of a gateway redis://… or memory:',
);
cli.option('--keys <file>', 'Key file of an encrypted store; else STATEWARDEN_KEYS');
cli.option('--json', 'Print one JSON document');
cli.option('--debug', 'Print the stack of an error');
cli.help((sections) => helpOf(sections, cli.matchedCommand?.description));
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
// Of a machine one asks for a version of its own.
if (ordered[0] !== 'machine') cli.version(manifest.version);

async function main(): Promise<number> {
  const { options } = cli.parse([...process.argv.slice(0, 2), ...ordered], { run: false });
  if (options['help'] === true || (options['version'] === true && ordered[0] !== 'machine')) return 0;
  const command = cli.matchedCommand as Command | undefined;
  if (command === undefined) {
    const [name] = cli.args;
    if (name === undefined) {
      cli.outputHelp();
      return 2;
    }
    const [close] = nearest(
      name,
      cli.commands.map((one) => one.name),
    );
    throw new UsageError(`there is no command "${name}"`, close === undefined ? 'Try statewarden --help.' : `Did you mean "${close}"?`);
  }
  let done: unknown;
  try {
    done = cli.runMatchedCommand();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'CACError') throw error;
    throw new UsageError(error.message.replaceAll('`', '"'), `Try statewarden ${command.name} --help.`);
  }
  return (await done) as ExitCode;
}

function explain(error: unknown): number {
  const known = error instanceof StatewardenError || error instanceof UsageError;
  const code = known ? error.code : 'UNEXPECTED';
  const message = error instanceof Error ? error.message : String(error);
  const hint = known ? error.hint : 'This should not happen: run it again with --debug and report it.';
  const colour = process.stderr.isTTY && !process.env['NO_COLOR'];
  const name = colour ? `\u001B[31m${code}\u001B[0m` : code;
  process.stderr.write(json ? `${JSON.stringify({ error: { code, message, hint } })}\n` : `${name}: ${message}\nhint: ${hint}\n`);
  if (beforeDashes.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  return error instanceof UsageError || error instanceof BadEventError ? 2 : 1;
}

// Whoever reads may have seen enough: `statewarden ls | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await main().catch(explain);
