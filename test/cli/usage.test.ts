/** Where the command line finds its store, and how it says no. */

import { expect } from 'chai';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '#src/persistence/sqlite/driver.js';
import { nearest } from '#src/core/nearest.js';
import { Output, printable, size, span, stateName, type Terminal } from '#src/cli/output.js';
import { Progress } from '#src/cli/progress.js';
import { findStore } from '#src/cli/store-url.js';
import { parsed, statewarden, type Ran } from './command-line.js';
import { emptyFolder, sampleStore, type SampleStore } from './sample-store.js';

describe('the command line', () => {
  let place: SampleStore;
  beforeEach(() => {
    place = emptyFolder();
  });
  afterEach(() => place.remove());
  const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Ran> => statewarden(args, { cwd: place.folder, env });

  it('does not make a database that is not there', async () => {
    const { code, stdout, stderr } = await run(['ls']);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.match(/^STORE_OPEN: there is no store at sqlite:\.\/agents\.db\nhint: .+\n$/);
    expect(existsSync(place.path)).to.equal(false);
  });

  it('tells each thing that is no store', async () => {
    mkdirSync(join(place.folder, 'folder'));
    writeFileSync(join(place.folder, 'text'), 'not a database, but long enough to look at as if it were one'.repeat(40));
    writeFileSync(join(place.folder, 'empty'), '');
    const other = connect(join(place.folder, 'other.db'));
    other.exec('CREATE TABLE songs (name TEXT)');
    other.close();
    const newer = connect(join(place.folder, 'newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    const codes: Record<string, unknown> = {};
    for (const path of ['folder', 'text', 'empty', 'other.db', 'newer.db']) {
      const { code, stderr } = await run(['ls', '--store', path, '--json']);
      const { error } = parsed(stderr) as { error?: { code: string; hint: string } };
      expect(error?.hint, path).to.be.a('string').and.not.equal('');
      codes[path] = [code, error?.code];
    }
    expect(codes).to.deep.equal({
      folder: [1, 'STORE_OPEN'],
      text: [1, 'CORRUPT_RECORD'],
      empty: [1, 'STORE_OPEN'],
      'other.db': [1, 'STORE_OPEN'],
      'newer.db': [1, 'STORE_SCHEMA'],
    });
  });

  it('knows a Spanner database by its address, and refuses half of one', async () => {
    const found = findStore('spanner://my-project/main/agents', {}, place.folder);
    expect(found.name).to.equal('spanner://my-project/main/agents');
    expect(found.spanner).to.deep.equal({ project: 'my-project', instance: 'main', database: 'agents' });
    for (const half of ['spanner://my-project/main', 'spanner:', 'spanner://a/b/c/d', 'spanner://a//c']) {
      const { code, stderr } = await run(['ls', half]);
      expect([code, /^USAGE: .*\nhint: Name all three: spanner:\/\/PROJECT\/INSTANCE\/DATABASE\.\n$/.test(stderr)], half).to.deep.equal([
        2,
        true,
      ]);
    }
  });

  it('says of a SQLite file that it migrates itself', async () => {
    const { code, stdout } = await run(['migrate']);
    expect([code, stdout]).to.deep.equal([0, 'sqlite:./agents.db migrates itself when it is opened: there is nothing to do\n']);
    expect(parsed((await run(['migrate', 'a.db', '--json'])).stdout)).to.deep.equal({
      store: 'sqlite:a.db',
      migratesItself: true,
      steps: [],
      applied: false,
    });
  });

  it('takes the store from the option, the environment, the file or the default, in this order', () => {
    const { folder } = place;
    const name = (option?: string, env: NodeJS.ProcessEnv = {}): string => findStore(option, env, folder).name;
    expect(name()).to.equal('sqlite:./agents.db');
    writeFileSync(join(folder, 'statewarden.config.json'), '{"store": "sqlite:./from-file.db"}');
    expect(name()).to.equal('sqlite:./from-file.db');
    expect(name(undefined, { STATEWARDEN_STORE: 'from-env.db' })).to.equal('sqlite:from-env.db');
    expect(name('sqlite:///tmp/a.db', { STATEWARDEN_STORE: 'from-env.db' })).to.equal('sqlite:/tmp/a.db');
    expect(findStore('a.db', {}, folder).path).to.equal(join(folder, 'a.db'));
    expect(findStore('C:\\agents.db', {}, folder).name).to.equal('sqlite:C:\\agents.db');
  });

  it('reads the store that the file in its folder names', async () => {
    const sample = await sampleStore();
    try {
      writeFileSync(join(place.folder, 'statewarden.config.json'), JSON.stringify({ store: sample.path }));
      expect(parsed((await run(['ls', '--json'])).stdout)['agents']).to.have.length(4);
    } finally {
      sample.remove();
    }
  });

  for (const [what, content] of [
    ['not JSON', '{'],
    ['without a store', '{"shop": 1}'],
    ['a list', '[]'],
  ] as const) {
    it(`says so when statewarden.config.json is ${what}`, async () => {
      writeFileSync(join(place.folder, 'statewarden.config.json'), content);
      const { code, stderr } = await run(['ls']);
      expect(code).to.equal(2);
      expect(stderr).to.match(/^USAGE: statewarden\.config\.json .*\nhint: .*"store"/);
    });
  }

  for (const [args, expected] of [
    [['ls', 'a.db', '--store', 'b.db'], /two stores: "a.db" and --store "b.db"/],
    [['lss'], /there is no command "lss"\nhint: Did you mean "ls"\?/],
    [['ls', '--foo'], /[Uu]nknown option "--foo"\nhint: Try statewarden ls --help/],
    [['show'], /missing required args.*\nhint: Try statewarden show --help/],
    [['show', 'a', 'b', 'c'], /Unused args: "c"/],
    [['ls', '--limit', '0'], /--limit is "0"\nhint: Give a whole number from 1/],
    [['ls', '--limit', 'many'], /--limit is "many"/],
    [['journal', 'a', '--after', '1.5'], /--after is "1.5"/],
    [['ls', '--kind'], /--kind/],
    [['send', 'a', 'B', '--message-id='], /--message-id/],
    [['ls', '--store', 'firestore:'], /names no project\nhint: Say firestore:\/\/PROJECT/],
    [['ls', '--store', 'firestore://p/d/x/y'], /names no project/],
    [['ls', '--store', 'postgres:agents'], /there is no store for "postgres:" in this version\nhint: .*sqlite:/],
    [['ls', '--store', 'firestore://my project'], /project is "my project"\nhint: Give the project's id/],
    [['ls', '--store', 'spanner://P/main/agents'], /"P" as project\nhint: Give all three/],
    [['ls', '--store', 'memory:'], /seen only by its own process/],
    [['ls', '--store', 'sqlite:'], /the store has no path/],
  ] as const) {
    it(`is called wrongly with: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr)
        .to.match(/^USAGE: /)
        .and.to.match(expected);
      expect(stderr).not.to.match(/^ +at /m);
    });
  }

  it('refuses a status that there is not', async () => {
    const sample = await sampleStore();
    try {
      const { code, stderr } = await run(['ls', '--status', 'asleep', '--store', sample.path]);
      expect(code).to.equal(2);
      expect(stderr).to.equal('USAGE: there is no status "asleep"\nhint: Use one of active, done, error, stopped, parked, suspended.\n');
    } finally {
      sample.remove();
    }
  });

  it('prints the stack of an error only when asked', async () => {
    expect((await run(['ls'])).stderr).not.to.include('    at ');
    expect((await run(['ls', '--debug'])).stderr).to.include('    at ');
  });

  it('helps with each command: what it does, and each option once', async () => {
    const all = (await run(['--help'])).stdout;
    const commands = [...all.matchAll(/^ {2}([a-z-]+)(?: [[<].*?)? {2,}(\S.*)$/gm)].map(([, name = '', about = '']) => ({ name, about }));
    expect(commands.map(({ name }) => name)).to.include.members(['ls', 'dev', 'console', 'inspect', 'gateway', 'migrate']);
    for (const { name, about } of commands) {
      const { stdout } = await run([name, '--help']);
      const options = [...stdout.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
      expect([name, options]).to.deep.equal([name, [...new Set(options)]]);
      expect(options).to.include.members(['--store', '--json', '--help']);
      expect(stdout)
        .to.include(about)
        .and.not.match(/--no-.*default/);
    }
  });

  it('helps, with examples and exit codes', async () => {
    const all = await run(['--help']);
    expect(all.code).to.equal(0);
    for (const name of ['ls', 'show <id>', 'tree [store] [id]', 'journal <id>', 'send <id> <event>', 'dead-letters', 'doctor'])
      expect(all.stdout).to.include(`  ${name} `);
    for (const name of ['ls', 'show', 'tree', 'journal', 'send', 'dead-letters', 'doctor']) {
      const { code, stdout } = await run([name, '--help']);
      expect(code).to.equal(0);
      expect(stdout).to.include(`$ statewarden ${name}`).and.to.include('Examples:').and.to.include('Exit codes:').and.to.include('--json');
    }
    expect(await run([])).to.include({ code: 2 });
    expect((await run(['--version'])).stdout).to.match(/^statewarden\/\d+\.\d+\.\d+ /);
  });
});

describe('output', () => {
  const screen = (isTTY: boolean): Terminal & { text: string } => ({
    text: '',
    isTTY,
    columns: 40,
    write(text: string) {
      this.text += text;
    },
  });

  it('is coloured on a terminal, unless NO_COLOR says otherwise', () => {
    expect(new Output(screen(true), {}, false).paint('red', 'x')).to.equal('\u001B[31mx\u001B[0m');
    expect(new Output(screen(true), { NO_COLOR: '1' }, false).paint('red', 'x')).to.equal('x');
    expect(new Output(screen(false), {}, false).paint('red', 'x')).to.equal('x');
  });

  it('cuts the widest column so that a table fits', () => {
    const terminal = screen(true);
    new Output(terminal, { NO_COLOR: '1' }, false).table(
      [{ id: 'a', text: 'long '.repeat(30) }],
      [
        { title: 'ID', text: ({ id }) => id },
        { title: 'TEXT', text: ({ text }) => text },
      ],
    );
    const lines = terminal.text.trimEnd().split('\n');
    expect(lines.map((line) => line.length <= 40)).to.deep.equal([true, true]);
    expect(lines[1]).to.match(/^a {3}long .*…$/);
  });

  it('shows no control characters of others', () => {
    expect(printable('a\u001B[2Jb\n')).to.equal('a\\x1b[2Jb\\x0a');
  });

  it('names states, sizes and spans as people do', () => {
    expect(stateName('{"working":"reading"}')).to.equal('working.reading');
    expect(stateName('{"a":"on","b":{"c":{}}}')).to.equal('{a.on, b.c}');
    expect(stateName('"open"')).to.equal('open');
    expect([size(12), size(2_048), size(5 * 2 ** 20)]).to.deep.equal(['12 B', '2.0 KiB', '5.0 MiB']);
    expect([span(12), span(2_000), span(120_000), span(7_200_000)]).to.deep.equal(['12 ms', '2 s', '2 min', '2 h']);
  });

  it('draws progress on a terminal only, and takes it away again', () => {
    let now = 0;
    const draw = (terminal: Terminal & { text: string }): string => {
      const bar = new Progress(terminal, 'checking', () => (now += 200));
      bar.show(1, 2);
      bar.end();
      return terminal.text;
    };
    expect(draw(screen(true))).to.match(/\rchecking █{12}░{12} 1\/2.*\r\u001B\[K$/s);
    expect(draw(screen(false))).to.equal('');
  });

  it('suggests only what is a few keystrokes away', () => {
    expect(nearest('shwo', ['ls', 'show', 'send', 'journal'])).to.deep.equal(['show']);
    expect(nearest('xyz', ['ls', 'show', 'journal'])).to.not.include('journal');
  });
});
