/** A service log, read half a minute of its own time at a time. Nothing of it is kept in memory, so a log may be as long as it likes. */

import { closeSync, openSync, readSync } from 'node:fs';

export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly service: string;
  readonly failed: boolean;
  /** How long the request took, in milliseconds. */
  readonly took: number | undefined;
  readonly text: string;
}

export interface LogWindow {
  /** When it begins, epoch milliseconds. */
  readonly at: number;
  readonly lines: readonly LogLine[];
  /** Byte at which it begins, and the next one. */
  readonly offset: number;
  readonly next: number;
  /** There is nothing after it. */
  readonly last: boolean;
}

export const windowMs = 30_000;

const format = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) +(\S+) +(DEBUG|INFO|WARN|ERROR|FATAL) +(.*)$/;
const request = /\b([1-5]\d\d) (\d+)ms\b/;

/** Undefined for what is no line of its own, such as the lines of a stack. */
export function parseLine(line: string): LogLine | undefined {
  const [, time, service, level, text] = format.exec(line) ?? [];
  if (time === undefined || service === undefined || text === undefined) return undefined;
  const [, status, took] = request.exec(text) ?? [];
  const failed = level === 'ERROR' || level === 'FATAL' || Number(status ?? 0) >= 500;
  return { at: Date.parse(time), service, failed, took: took === undefined ? undefined : Number(took), text };
}

/** The lines of one window from this byte on. */
export function readWindow(path: string, offset: number): LogWindow {
  const lines: LogLine[] = [];
  let at: number | undefined;
  let place = offset;
  for (const { text, bytes } of textLines(path, offset)) {
    const line = parseLine(text);
    if (line !== undefined) {
      at ??= Math.floor(line.at / windowMs) * windowMs;
      if (line.at >= at + windowMs) return { at, lines, offset, next: place, last: false };
      lines.push(line);
    }
    place += bytes;
  }
  return { at: at ?? 0, lines, offset, next: place, last: true };
}

const blockLength = 16_384;

function* textLines(path: string, offset: number): Generator<{ readonly text: string; readonly bytes: number }> {
  const file = openSync(path, 'r');
  try {
    const block = Buffer.alloc(blockLength);
    let rest = Buffer.alloc(0);
    for (let position = offset; ;) {
      const read = readSync(file, block, 0, blockLength, position);
      position += read;
      rest = Buffer.concat([rest, block.subarray(0, read)]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        yield { text: rest.toString('utf8', 0, end), bytes: end + 1 };
        rest = rest.subarray(end + 1);
      }
      if (read > 0) continue;
      if (rest.length > 0) yield { text: rest.toString('utf8'), bytes: rest.length };
      return;
    }
  } finally {
    closeSync(file);
  }
}
