/**
 * `statewarden dev FILE|FOLDER`: an app with its console, begun again whenever its files change. Its agents are in its store, so they go on where they stood. While the app is down (it crashed, it ended, it begins again) the
 * console shows its store at rest, at the same address; what is open in a browser connects again by itself.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { listenLocally } from '../../console/port.js';
import { serveStore, type ServedConsole } from '../../console/server.js';
import type { OpenedStore } from '../../persistence/store.js';
import { ArtifactsOnDemand, namedArtifacts } from '../artifacts-url.js';
import { DevChild, type Ended } from '../dev-child.js';
import { findProgram, shortPath, type Program } from '../dev-program.js';
import { keysPath } from '../keys-commands.js';
import type { Output, Terminal } from '../output.js';
import { ProgramWatch } from '../program-watch.js';
import type { ExitCode } from '../session.js';
import { openStore, placeOf, sealedStore } from '../store-url.js';

export interface DevRequest {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  readonly store: string | undefined;
  readonly keys: string | undefined;
  readonly watch: string | undefined;
  readonly console: boolean;
  readonly json: boolean;
  readonly output: Output;
  readonly aside: Terminal;
  readonly now: () => number;
  readonly open: (link: string) => void;
  readonly onStop: (stop: () => void) => void;
}

/** Between SIGTERM and SIGKILL. */
const patienceMs = 5_000;
/** Until a program that was killed is begun again: doubled each time, from the first again after it has lived for so long. */
const backoff = { firstMs: 500, mostMs: 30_000, forgivenMs: 10_000 };
const lookMs = 100;

/** @throws UsageError, PortInUseError */
export async function dev(request: DevRequest): Promise<ExitCode> {
  const { cwd, watch } = request;
  const program = findProgram(request.program, cwd, stripsTypes());
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-dev-'));
  try {
    const server = new DevServer(request, program, folder);
    await server.begin();
    const watching = new ProgramWatch([watch === undefined ? program.folder : resolve(cwd, watch)], (file) => server.changed(file));
    await new Promise<void>((stop) => request.onStop(stop));
    watching.close();
    await server.end();
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class DevServer {
  readonly #request: DevRequest;
  readonly #program: Program;
  readonly #files: { readonly tokenFile: string; readonly reportFile: string };
  readonly #token = randomBytes(24).toString('base64url');
  #port: number;
  #child: DevChild | undefined;
  #rest: Resting | undefined;
  #storeName: string | undefined;
  #printed = false;
  #kills = 0;
  #ending = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** One thing after the other: a change while it is restarted is the next one. */
  #work: Promise<void> = Promise.resolve();

  constructor(request: DevRequest, program: Program, folder: string) {
    this.#request = request;
    this.#program = program;
    this.#port = request.port;
    this.#storeName = request.store;
    this.#files = { tokenFile: join(folder, 'token'), reportFile: join(folder, 'report.json') };
    writeFileSync(this.#files.tokenFile, this.#token, { mode: 0o600 });
  }

  async begin(): Promise<void> {
    const { cwd, console } = this.#request;
    if (console) this.#port = await freePort(this.#port);
    const { file, compiledFrom, folder } = this.#program;
    this.#say(
      `runs ${shortPath(file, cwd)}${compiledFrom === undefined ? '' : `, compiled from ${shortPath(compiledFrom, cwd)}: keep tsc --watch running`}`,
    );
    this.#say(`watches ${shortPath(this.#request.watch === undefined ? folder : resolve(cwd, this.#request.watch), cwd)}`);
    this.#do(() => this.#start());
    await this.#work;
  }

  changed(file: string): void {
    this.#do(async () => {
      this.#say(`${shortPath(file, this.#request.cwd)} has changed`);
      this.#kills = 0;
      await this.#stopChild();
      await this.#start();
    });
  }

  async end(): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#timer);
    await this.#work;
    await this.#stopChild();
    await this.#wakeUp();
  }

  #do(work: () => Promise<void>): void {
    this.#work = this.#work
      .then(async () => (this.#ending ? undefined : work()))
      .catch((error: unknown) => this.#say((error as Error).message));
  }

  async #start(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#wakeUp();
    const { cwd, env, args, store, console, json, now } = this.#request;
    const child = new DevChild({
      program: this.#program,
      args,
      cwd,
      env: store === undefined ? env : { ...env, STATEWARDEN_STORE: store },
      order: { ...this.#files, port: this.#port, serve: console },
      stdout: json ? 2 : 'inherit',
      now,
    });
    this.#child = child;
    if (console) this.#look(child);
    void child.ended.then((ended) => this.#ended(child, ended));
  }

  /** Prints the address once it answers. */
  #look(child: DevChild): void {
    const report = child.report();
    if (report === undefined) {
      if (this.#child === child) this.#looking = setTimeout(() => this.#look(child), lookMs);
      return;
    }
    this.#storeName ??= report.store;
    if (report.error === undefined) this.#print();
    else this.#say(`no console: ${report.error}`);
  }

  #print(): void {
    if (this.#printed) return;
    this.#printed = true;
    const { output } = this.#request;
    const url = `http://127.0.0.1:${String(this.#port)}/`;
    const link = `${url}#token=${this.#token}`;
    if (output.json) output.document({ url, link, port: this.#port, token: this.#token });
    else output.line(`console  ${link}`);
    this.#request.open(link);
  }

  #ended(child: DevChild, { code, signal, told, livedMs }: Ended): void {
    clearTimeout(this.#looking);
    this.#storeName ??= child.report()?.store;
    if (this.#child === child) this.#child = undefined;
    if (told || this.#ending) return;
    if (signal !== null) {
      this.#kills = livedMs > backoff.forgivenMs ? 1 : this.#kills + 1;
      const waitMs = Math.min(backoff.mostMs, backoff.firstMs * 2 ** (this.#kills - 1));
      this.#say(`the app was killed (${signal}); it is begun again in ${String(waitMs / 1_000)} s`);
      this.#timer = setTimeout(() => this.#do(() => this.#start()), waitMs);
    } else {
      this.#say(
        code === 0 ? 'the app has ended; a change begins it again' : `the app ended with code ${String(code)}; a change begins it again`,
      );
    }
    this.#do(() => this.#lieDown());
  }

  /** The console on the store that the app has left. Not every store can be looked at without its app: that is said. */
  async #lieDown(): Promise<void> {
    const { console, cwd, env, keys, now } = this.#request;
    if (!console || this.#child !== undefined || this.#rest !== undefined || this.#storeName === undefined) return;
    const name = this.#storeName.replace(/^encrypted:/, '');
    if (name === 'memory:') return this.#say('no console meanwhile: a store in memory is gone with its app');
    let store: OpenedStore | undefined;
    try {
      const [place, path] = [placeOf(name, cwd), keysPath(keys, env)];
      store = await openStore(place, now, path);
      const artifacts = new ArtifactsOnDemand(async () => namedArtifacts(undefined, now, await sealedStore(place, path)));
      const served = await serveStore(store, { port: this.#port, storeName: name, artifacts: artifacts.get });
      this.#rest = { store, served, artifacts };
      this.#print();
    } catch (error) {
      await store?.close();
      this.#say(`no console meanwhile: ${(error as Error).message}`);
    }
  }

  async #wakeUp(): Promise<void> {
    const rest = this.#rest;
    this.#rest = undefined;
    await rest?.served.close();
    await rest?.store.close();
    await rest?.artifacts.close();
  }

  async #stopChild(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    clearTimeout(this.#looking);
    await child?.stop(patienceMs);
  }

  #say(text: string): void {
    this.#request.aside.write(`dev: ${text}\n`);
  }
}

interface Resting {
  readonly store: OpenedStore;
  readonly served: ServedConsole;
  readonly artifacts: ArtifactsOnDemand;
}

/** The port, when it can be had now; for 0 one that can. @throws PortInUseError, BadInputError */
async function freePort(port: number): Promise<number> {
  const server = await listenLocally(createServer(), port);
  const { port: found } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return found;
}

function stripsTypes(): boolean {
  const { typescript } = process.features as { readonly typescript?: unknown };
  return typescript !== undefined && typescript !== false;
}
