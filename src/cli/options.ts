/**
 * Options as they were typed. `cac` turns whatever looks like a number into one, which would make message id `007` another id: so texts are read
 * from the arguments themselves, and numbers are checked here.
 */

import { UsageError } from './usage-error.js';

/** The last value of `--name`, as typed. @throws UsageError when it has none. */
export function textOption(args: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (const [index, arg] of args.entries()) {
    if (arg === '--') break;
    if (arg.startsWith(`--${name}=`)) value = arg.slice(name.length + 3);
    else if (arg === `--${name}`) {
      value = args[index + 1];
      if (value === undefined || value.startsWith('-')) throw new UsageError(`--${name} has no value`, `Write --${name}=VALUE.`);
    }
  }
  return value;
}

/** A whole number of at least `least`. @throws UsageError */
export function numberOption(args: readonly string[], name: string, least: number, otherwise: number): number {
  const text = textOption(args, name);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`--${name} is "${text}"`, `Give a whole number from ${String(least)}.`);
  }
  return value;
}
