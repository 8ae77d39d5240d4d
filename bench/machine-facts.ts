/** What the run was measured on and with: hardware, versions and the state of the sources; no paths, no host name. */

import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const fileSystems: Readonly<Record<number, string>> = {
  0xef53: 'ext',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0x2fc12fc1: 'zfs',
};

export function machineFacts(folder: string): Record<string, string | number> {
  const { type } = statfsSync(folder);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    fileSystem: fileSystems[type] ?? `type 0x${type.toString(16)}`,
  };
}

/** Versions as installed; a package that is absent is left out. */
export function versions(repository: string, bench: string): Record<string, string> {
  const peers = [
    '@langchain/langgraph',
    '@langchain/langgraph-checkpoint-sqlite',
    'better-sqlite3',
    '@restatedev/restate-server',
    '@restatedev/restate-sdk',
  ];
  return { ...ownVersions(repository, ['xstate', 'libsql']), ...installed(bench, peers) };
}

/** Without those of the bench folder. */
export function ownVersions(repository: string, packages: readonly string[]): Record<string, string> {
  const own = packageVersion(join(repository, 'package.json'));
  const revision = sourceRevision(repository);
  return {
    node: process.versions.node,
    v8: process.versions.v8,
    ...(own === undefined ? {} : { statewarden: own }),
    ...(revision === undefined ? {} : { revision }),
    ...installed(repository, packages),
  };
}

function installed(folder: string, packages: readonly string[]): Record<string, string> {
  const found = packages.map((name) => [name, packageVersion(join(folder, 'node_modules', name, 'package.json'))] as const);
  return Object.fromEntries(found.filter((entry): entry is readonly [string, string] => entry[1] !== undefined));
}

function packageVersion(file: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

function sourceRevision(repository: string): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: repository, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? ' with changes' : ''}`;
  } catch {
    return undefined; // Not a checkout.
  }
}
