/**
 * Somebody outside who is told of each piece of work before it begins and when it has ended, and says by a clock of its own who ran which agent when. A process asks to be noted and begins only when it was, so nothing runs that is not seen here.
 */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A piece of work, in milliseconds of the witness's clock. `to`: undefined while it runs. */
export interface Piece {
  readonly node: string;
  /** Which piece of its agent, as the agent counts them. */
  readonly n: number;
  readonly from: number;
  to: number | undefined;
}

interface Word {
  readonly word: 'begin' | 'end';
  readonly node: string;
  readonly agent: string;
  readonly n: number;
}

export class Witness {
  /** Of each agent, in the order they began. */
  readonly pieces = new Map<string, Piece[]>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** When those that are dead died. */
  readonly #dead = new Map<string, number>();
  /** That stood still, and what they have said of work since. */
  readonly #suspended = new Set<string>();
  readonly #late: Word[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      // A node that is killed says nothing more; the interface repeats what happens to the socket.
      lines(socket, (line) => {
        const word = JSON.parse(line) as Word;
        if (this.#heard(word)) socket.write(`${line}\n`);
      });
    });
  }

  static async start(): Promise<Witness> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Witness(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  now(): number {
    return performance.now();
  }

  /** False: to be answered by nobody, its node is dead. */
  #heard({ word, node, agent, n }: Word): boolean {
    if (this.#dead.has(node)) return false;
    if (this.#suspended.has(node)) {
      this.#late.push({ word, node, agent, n });
      return true;
    }
    const pieces = this.pieces.get(agent) ?? [];
    this.pieces.set(agent, pieces);
    if (word === 'begin') pieces.push({ node, n, from: this.now(), to: undefined });
    else {
      const piece = pieces.findLast((one) => one.node === node && one.n === n);
      if (piece !== undefined) piece.to = this.now();
    }
    return true;
  }

  /** A node was killed: what it ran ended now, and what it said before and is read only now did not begin. */
  died(node: string): number {
    const now = this.now();
    this.#dead.set(node, now);
    for (const pieces of this.pieces.values()) for (const piece of pieces) if (piece.node === node) piece.to ??= now;
    return now;
  }

  /** A node stands still: what it has under way is not run meanwhile, and what it says from now on is counted apart. */
  suspended(node: string): number {
    const now = this.now();
    for (const pieces of this.pieces.values()) for (const piece of pieces) if (piece.node === node) piece.to ??= now;
    this.#suspended.add(node);
    return now;
  }

  /** How often a node that stood still began work of this agent since. */
  lateBegins(agent: string, node: string): number {
    return this.#late.filter((word) => word.word === 'begin' && word.node === node && word.agent === agent).length;
  }

  /** Agents whose last piece of work this node began. */
  of(node: string): string[] {
    return [...this.pieces].filter(([, pieces]) => pieces.at(-1)?.node === node).map(([agent]) => agent);
  }

  /** When each of these was first run by another than this node since then, as far as it was. */
  elsewhere(agents: readonly string[], node: string, since: number): number[] {
    return agents.flatMap((agent) => this.pieces.get(agent)?.find((piece) => piece.node !== node && piece.from >= since)?.from ?? []);
  }

  /** Agents that two nodes ran at once, or whose count went back or left one out. */
  faults(): string[] {
    const faults: string[] = [];
    for (const [agent, pieces] of this.pieces) {
      for (const [index, piece] of pieces.entries()) {
        const before = pieces[index - 1];
        if (before === undefined) continue;
        const at = `${agent}: ${JSON.stringify(before)} ${JSON.stringify(piece)}`;
        // All that began before, not only the last one: the node of one may lag behind.
        if (pieces.slice(0, index).some(({ node, to = Infinity }) => node !== piece.node && to > piece.from))
          faults.push(`run by both: ${at}`);
        const again = before.n === piece.n && before.node !== piece.node;
        if (piece.n !== before.n + 1 && !again) faults.push(`out of order: ${at}`);
      }
    }
    return faults;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

function lines(socket: Socket, heard: (line: string) => void): void {
  const reading = createInterface({ input: socket }).on('line', heard);
  (reading as unknown as NodeJS.EventEmitter).on('error', () => undefined);
}

/** A node's line to its witness. */
export class Testimony {
  readonly #socket: Socket;
  readonly #node: string;
  readonly #noted = new Map<string, () => void>();

  constructor(port: number, node: string) {
    this.#node = node;
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    // Without a witness nothing is to be shown any more.
    this.#socket.on('error', () => process.exit(1));
    lines(this.#socket, (line) => {
      this.#noted.get(line)?.();
      this.#noted.delete(line);
    });
  }

  /** Resolves when it was noted. */
  say(word: Word['word'], agent: string, n: number): Promise<void> {
    const line = JSON.stringify({ word, node: this.#node, agent, n } satisfies Word);
    return new Promise((resolve) => {
      this.#noted.set(line, resolve);
      this.#socket.write(`${line}\n`);
    });
  }
}
