/** The commands for looking on: the console on any store, and the development server, which runs an app beside it. */

import type { CAC } from 'cac';
import { spawn } from 'node:child_process';
import { defaultPort } from '../console/port.js';
import { onStopSignal } from './gateway-command.js';
import { Output } from './output.js';
import type { Typed } from './people-commands.js';

/** Flags without a value. */
export const consoleFlags = ['--open', '--no-console'];

interface ConsoleTyped extends Typed {
  /** What stands after `--`: the program's own. */
  readonly rest: readonly string[];
  readonly now: () => number;
}

const portText = '0: any that is free';

export function addConsoleCommands(cli: CAC, { text, number, givenOf, withStore, rest, now }: ConsoleTyped): void {
  const given = (name: string): boolean => givenOf([name]).length > 0;
  const open = (link: string): void => (given('open') ? openInBrowser(link) : undefined);
  cli
    .command('console [store]', 'Show a store in the browser, read-only, without the code of its agents, until stopped')
    .option('--port <n>', portText, { default: defaultPort })
    .option('--artifacts <url>', 'Where archived agents are')
    .option('--open', 'Open it in the browser')
    .example('  $ statewarden console ./agents.db')
    .example('  $ statewarden console firestore://my-project --port 0 --json')
    .action((place?: string) => {
      const port = number('port', 0, defaultPort);
      return withStore(place, async (session) =>
        (await import('./commands/console.js')).storeConsole(session, { port, open, onStop: onStopSignal }),
      );
    });
  cli
    .command(
      'dev <file|folder>',
      'Run an app with its console, and again whenever its files change; its agents go on. FILE|FOLDER [-- ARGUMENTS]',
    )
    .option('--port <n>', `Of the console; ${portText}`, { default: defaultPort })
    .option('--store <url>', "Passed on as STATEWARDEN_STORE; the console shows it while the app is down. Else the runtime's own")
    .option('--watch <folder>', "Watch this folder instead of the program's")
    .option('--no-console', 'Only run it and restart it')
    .option('--open', 'Open the console in the browser')
    .example('  $ statewarden dev src/main.ts')
    .example('  $ statewarden dev examples/research-team --port 4800')
    .example('  $ statewarden dev ./app.js -- --verbose')
    .action(async (program: string) => {
      const { dev } = await import('./commands/dev.js');
      const json = given('json');
      return dev({
        program,
        args: rest,
        cwd: process.cwd(),
        env: process.env,
        port: number('port', 0, defaultPort),
        store: text('store'),
        keys: text('keys'),
        watch: text('watch'),
        console: !given('no-console'),
        json,
        output: new Output(process.stdout, process.env, json),
        aside: process.stderr,
        now,
        open,
        onStop: onStopSignal,
      });
    });
}

/** Whether there is a browser is the system's affair. The address is printed in any case; that none could be opened is said. */
function openInBrowser(link: string): void {
  const [command, ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command, [...args, link], { stdio: 'ignore', detached: true });
  const failed = (why: string): void =>
    void process.stderr.write(`no browser could be opened (${command}: ${why}); open the address yourself\n`);
  child.on('error', ({ code, message }: NodeJS.ErrnoException) => failed(code === 'ENOENT' ? 'there is none' : message));
  child.on('exit', (code) => (code === 0 || code === null ? undefined : failed(`it ended with code ${String(code)}`)));
  child.unref();
}
