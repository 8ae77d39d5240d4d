/** What the tests of bad input share: catching an error with its code, and a folder that goes away. */

import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StatewardenError } from 'statewarden';

/** The error of a call, checked: of ours, with this code, and a hint that is a sentence. */
export async function failing<T extends StatewardenError = StatewardenError>(code: string, call: () => unknown): Promise<T> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, `nothing was thrown, ${code} was expected`).to.not.equal(undefined);
  expect(thrown, String((thrown as Error).stack)).to.be.instanceOf(StatewardenError);
  const error = thrown as T;
  expect(error.code, error.message).to.equal(code);
  expect(error.hint.length, 'the hint says what to do').to.be.greaterThan(10);
  expect(error.name).to.equal(error.constructor.name);
  return error;
}

/** Runs with a temporary folder. */
export async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'statewarden-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
