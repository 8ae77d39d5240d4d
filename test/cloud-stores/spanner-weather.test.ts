import { expect } from 'chai';
import { credentials } from '@grpc/grpc-js';
import { createServer, type AddressInfo } from 'node:net';
import {
  BadInputError,
  CapabilityMissingError,
  InvariantViolationError,
  StatewardenError,
  StoreOpenError,
  StorePoisonedError,
  StoreSchemaError,
  StoreUnavailableError,
} from 'statewarden';
import { migrateSpanner, pendingSpannerMigration, spanner, type SpannerOptions } from 'statewarden/spanner';
import { connectSpanner } from '#src/persistence/spanner/api.js';
import { callError, openError } from '#src/persistence/spanner/faults.js';
import { migrations } from '#src/persistence/spanner/schema.js';
import type { OpenedStore } from '#src/persistence/store.js';
import { birth, message, next } from './spanner-records.js';
import { describeSpanner, SpannerEmulator, runSql } from './spanner-emulator.js';
import { GrpcWire } from '../cloud/grpc-wire.js';

const lease = { name: 'node', ttlMs: 5_000 };

async function thrownBy(work: () => Promise<unknown>): Promise<StatewardenError> {
  const thrown = await work().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(StatewardenError);
  return thrown as StatewardenError;
}

const opening = (options: SpannerOptions): Promise<StatewardenError> =>
  thrownBy(async () => (await spanner({ callTimeoutMs: 1_500, ...options }).open({ lease, now: Date.now })).close());

describe('The Spanner store without Spanner', () => {
  it('says what to install when the package is not there', async () => {
    const error = await thrownBy(() =>
      connectSpanner('p', {}, () => Promise.reject(new Error("Cannot find package '@google-cloud/spanner'"))),
    );
    expect(error).to.be.instanceOf(CapabilityMissingError);
    expect(error.hint).to.include('npm install @google-cloud/spanner');
  });

  it('refuses options that name no database', () => {
    for (const options of [
      {},
      { project: 'my-project', instance: 'main' },
      { project: 'my-project', instance: 'main', database: 'a/b' },
      undefined,
    ]) {
      expect(() => spanner(options as SpannerOptions)).to.throw(BadInputError, 'spanner() was given');
    }
    const named = { project: 'my-project', instance: 'main', database: 'agents' };
    expect(() => spanner({ ...named, mailPollMs: 0 })).to.throw(BadInputError, 'mailPollMs');
    expect(() => spanner({ ...named, leaseTime: 'mine' as never })).to.throw(BadInputError, 'leaseTime');
    expect(spanner(named).name).to.equal('spanner://my-project/main/agents');
  });

  it('says how to log in when there are no credentials', async () => {
    const error = await opening({
      project: 'my-project',
      instance: 'main',
      database: 'agents',
      client: { keyFilename: '/does/not/exist.json' },
    });
    expect(error).to.be.instanceOf(StoreOpenError);
    expect(error.hint).to.include('gcloud auth application-default login');
  });

  it('is unavailable where nobody answers', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const client = { servicePath: '127.0.0.1', port, sslCreds: credentials.createInsecure() };
    const error = await opening({ project: 'my-project', instance: 'main', database: 'agents', client });
    expect(error).to.be.instanceOf(StoreUnavailableError);
  });

  it('gives every status of Spanner an error that says what to do', () => {
    const failed = (code: number, message: string): Error => Object.assign(new Error(`${String(code)} ${message}`), { code });
    const opens: readonly [number, string, unknown, RegExp][] = [
      [5, 'NOT_FOUND: Instance not found: projects/p/instances/i', StoreOpenError, /gcloud spanner instances list/],
      [5, 'NOT_FOUND: Database not found: projects/p/instances/i/databases/d', StoreOpenError, /databases create/],
      [7, 'PERMISSION_DENIED', StoreOpenError, /roles\/spanner\.databaseUser/],
      [16, 'UNAUTHENTICATED', StoreOpenError, /gcloud auth/],
      [3, 'INVALID_ARGUMENT', StoreOpenError, /lower-case/],
      [8, 'RESOURCE_EXHAUSTED', StoreUnavailableError, /quota/],
      [14, 'UNAVAILABLE', StoreUnavailableError, /cannot be reached/],
    ];
    const calls: readonly [number, string, unknown, RegExp][] = [
      [10, 'ABORTED', StoreUnavailableError, /tried again/],
      [4, 'DEADLINE_EXCEEDED', StoreUnavailableError, /asked before it is tried again/],
      [14, 'UNAVAILABLE', StoreUnavailableError, /tried again/],
      [8, 'RESOURCE_EXHAUSTED', StoreUnavailableError, /quota/],
      [13, 'INTERNAL', StoreUnavailableError, /not known/],
      [7, 'PERMISSION_DENIED', StorePoisonedError, /roles\/spanner/],
      [16, 'UNAUTHENTICATED', StorePoisonedError, /gcloud auth/],
      [5, 'NOT_FOUND: Database not found: projects/p', StorePoisonedError, /backup/],
      [3, 'INVALID_ARGUMENT', InvariantViolationError, /report/],
      [3, 'INVALID_ARGUMENT: The transaction contains too many mutations', StorePoisonedError, /artifact store/],
    ];
    for (const [mapping, cases] of [
      [openError, opens],
      [callError, calls],
    ] as const) {
      for (const [code, message, type, hint] of cases) {
        const error = mapping('spanner://p/i/d', failed(code, message)) as StatewardenError;
        expect(error, message).to.be.instanceOf(type as new () => Error);
        expect(error.hint, message).to.match(hint);
        expect(error.message).to.include('spanner://p/i/d');
      }
    }
  });
});

describeSpanner('The Spanner store in bad weather', () => {
  let emulator: SpannerEmulator;
  beforeEach(async () => (emulator = await SpannerEmulator.start()));
  afterEach(() => emulator.stop());

  it('names what is not there: the instance, the database, the tables, with the command that makes them', async () => {
    const instance = await opening({ ...emulator.options('agents'), instance: 'no-such' });
    expect(instance).to.be.instanceOf(StoreOpenError);
    expect(instance.hint).to.include('instances list');
    const database = await opening(emulator.options('agents'));
    expect(database).to.be.instanceOf(StoreOpenError);
    expect(database.hint).to.include('databases create');
    const bare = await emulator.database({ bare: true });
    const tables = await opening(bare);
    expect(tables).to.be.instanceOf(StoreOpenError);
    expect(tables.hint).to.include(`statewarden migrate spanner://${bare.project}/${bare.instance}/${bare.database}`);
  });

  it('is migrated once, by steps that a cut does not hurt, and refuses tables of another version', async () => {
    const options = await emulator.database({ bare: true });
    expect((await pendingSpannerMigration(options)).steps.map(({ version }) => version)).to.deep.equal([1, 2]);
    // A run that was cut off in the middle of the tables.
    await emulator.change(options.database, (migrations[1]?.statements ?? []).slice(0, 8));
    const done = await migrateSpanner(options);
    expect([done.from, done.to]).to.deep.equal([0, 2]);
    expect((await migrateSpanner(options)).steps).to.deep.equal([]);
    await (await spanner(options).open({ lease, now: Date.now })).close();

    await runSql(emulator, options.database, "UPDATE statewarden_meta SET value = '99' WHERE name = 'schema'");
    const newer = await opening(options);
    expect(newer).to.be.instanceOf(StoreSchemaError);
    expect(newer.hint).to.include('Install');
    expect(await thrownBy(() => migrateSpanner(options))).to.be.instanceOf(StoreSchemaError);

    await runSql(emulator, options.database, "UPDATE statewarden_meta SET value = '0.5' WHERE name = 'schema'");
    const older = await opening(options);
    expect(older).to.be.instanceOf(StoreSchemaError);
    expect(older.hint).to.include('statewarden migrate spanner://');
  });

  const calls: readonly ((store: OpenedStore) => Promise<unknown>)[] = [
    (store) => store.commit([birth(store, 100 + store.node)]),
    (store) => store.commit([next(birth(store, store.node))]),
    (store) => store.heartbeat(),
    (store) => store.load(['a-1']),
    (store) => store.post([message('a-1', 'm')], 1),
    (store) => store.publish([{ topic: 't', author: 'n', data: '1', at: 1 }]),
  ];

  /** A node at work for each of the calls that a database which is gone must refuse: the first to be refused is also the last that is made. */
  async function nodesOn(options: SpannerOptions): Promise<OpenedStore[]> {
    const stores: OpenedStore[] = [];
    while (stores.length < calls.length) {
      const store = await spanner({ ...options, callTimeoutMs: 2_000 }).open({ lease, now: Date.now });
      await store.commit([birth(store, store.node)]);
      stores.push(store);
    }
    return stores;
  }

  async function refusals(stores: readonly OpenedStore[]): Promise<void> {
    for (const [index, store] of stores.entries()) {
      for (const call of [calls[index], calls[(index + 1) % calls.length]]) {
        const error = await thrownBy(async () => call?.(store));
        expect(error, `call ${String(index)}`).to.be.instanceOf(StorePoisonedError);
        expect(error.message).to.match(/is gone: it was dropped .* or made anew/);
        expect(error.hint).to.include('Nothing was written');
      }
      await store.close();
    }
  }

  it('refuses to go on when the database was dropped', async () => {
    const options = await emulator.database();
    const stores = await nodesOn(options);
    await emulator.drop(options.database);
    await refusals(stores);
  });

  it('refuses to go on when the database was made anew, and writes nothing into the new one', async () => {
    const options = await emulator.database();
    const stores = await nodesOn(options);
    await emulator.drop(options.database);
    await emulator.make(options.database);
    await migrateSpanner(options);
    await refusals(stores);
    const fresh = await spanner(options).open({ now: Date.now });
    expect(await fresh.list({ limit: 10 })).to.deep.equal([]);
    expect(await fresh.notes('')).to.deep.equal([]);
    await fresh.close();
  });

  it('refuses to go on when the emulator was restarted beneath it', async () => {
    const options = await emulator.database();
    const stores = await nodesOn(options);
    const away = await spanner({ ...options, callTimeoutMs: 1_000 }).open({ lease, now: Date.now });
    const { port } = emulator;
    await emulator.stop();
    expect(await thrownBy(() => away.commit([birth(away, 1)]))).to.be.instanceOf(StoreUnavailableError);
    emulator = await SpannerEmulator.start(port);
    await emulator.make(options.database);
    await migrateSpanner(options);
    await refusals(stores);
    await away.close();
  });

  it('goes on after an outage as if nothing had been', async () => {
    const { database } = await emulator.database();
    const wire = await new GrpcWire(emulator.port).start();
    const store = await spanner({ ...emulator.options(database, wire.port), callTimeoutMs: 1_000 }).open({ lease, now: Date.now });
    const commit = birth(store, 1);
    await store.commit([commit]);
    wire.fault = () => ({ status: 14, message: 'away' });
    for (const call of [() => store.commit([next(commit)]), () => store.lookup(['a-1']), () => store.heartbeat()]) {
      expect(await thrownBy(call)).to.be.instanceOf(StoreUnavailableError);
    }
    wire.fault = () => undefined;
    expect((await store.commit([next(commit)]))[0]?.outcome).to.equal('applied');
    await store.close();
    await wire.stop();
  });
});
