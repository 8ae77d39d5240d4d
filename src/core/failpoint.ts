/**
 * Named places where a test may make the process crash, throw or wait. Free when off: one comparison with
 * `undefined`. Names are literals, `area:place`, so that a script can list them all from the source.
 *
 * `STATEWARDEN_FAILPOINTS=commit:sealed=crash@2;load:read=throw` arms them in a process and its threads: the
 * action (`crash`, `throw`, `delay:MS`), then after `@` the passing that triggers it (default 1), counted per thread.
 */

interface Armed {
  readonly action: 'crash' | 'throw' | { readonly delayMs: number };
  readonly passing: number;
  passed: number;
}

let armed: Map<string, Armed> | undefined = parse(process.env['STATEWARDEN_FAILPOINTS']);

/** Passes the named place. Throws `Error('failpoint NAME')` or kills the process when armed so. */
export function failpoint(name: string): void {
  if (armed !== undefined) pass(name);
}

/** Arms failpoints in this thread, or disarms all with `undefined`. For tests. */
export function armFailpoints(specification: string | undefined): void {
  armed = parse(specification);
}

function pass(name: string): void {
  const point = armed?.get(name);
  if (point === undefined) return;
  point.passed += 1;
  if (point.passed !== point.passing) return;
  if (point.action === 'crash') {
    process.kill(process.pid, 'SIGKILL');
    // SIGKILL takes effect at the next return to user space of the main thread: never run on past it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  if (point.action === 'throw') throw new Error(`failpoint ${name}`);
  if (typeof point.action === 'object') {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, point.action.delayMs);
  }
}

function parse(specification: string | undefined): Map<string, Armed> | undefined {
  if (specification === undefined || specification === '') return undefined;
  const points = new Map<string, Armed>();
  for (const part of specification.split(';')) {
    const [name = '', how = ''] = part.split('=');
    const [what = '', passing = '1'] = how.split('@');
    const action = what === 'crash' || what === 'throw' ? what : { delayMs: Number(what.replace(/^delay:/, '')) || 0 };
    points.set(name, { action, passing: Number(passing), passed: 0 });
  }
  return points;
}
