import { describeStore } from 'statewarden/testing';
import { scatter } from '#src/persistence/spanner/keys.js';
import { clientOf, describeSpanner, runSql, SpannerEmulator } from './spanner-emulator.js';
import { GrpcWire } from '../cloud/grpc-wire.js';

describeSpanner('Spanner', () => {
  let emulator: SpannerEmulator;
  let wire: GrpcWire;
  before(async () => {
    emulator = await SpannerEmulator.start();
    wire = await new GrpcWire(emulator.port).start();
  });
  after(async () => {
    await wire.stop();
    await emulator.stop();
  });

  // Some cases move their clock: leases go by it in the first.
  for (const leaseTime of ['injected', 'spanner'] as const) {
    describeStore(leaseTime === 'injected' ? 'spanner()' : "spanner() with leases by Spanner's time", () => {
      const store = lazily(() => emulator.store({ leaseTime, mailPollMs: 20, client: clientOf(wire.port) }));
      return {
        store,
        ownTime: leaseTime === 'spanner',
        loseAnswer: () => {
          wire.fault = (call) => {
            if (call !== 'Commit') return undefined;
            wire.fault = () => undefined;
            return 'lose';
          };
        },
        corrupt: async (what, agent) => {
          const { database } = await store.options();
          const [table, column, where] = what === 'journal' ? ['journal', 'entries', 'AND first = 1'] : ['checkpoints', 'data', ''];
          const sql = `UPDATE ${table} SET ${column} = CONCAT(${column}, ' ') WHERE agent = ${String(scatter(agent))} ${where}`;
          await runSql(emulator, database, sql);
        },
        // The emulator takes a hundred databases.
        dispose: async () => {
          if (store.isMade()) await emulator.drop((await store.options()).database);
        },
      };
    });
  }
});

/** The emulator is not up yet when the suite is declared. */
function lazily(
  make: () => ReturnType<SpannerEmulator['store']>,
): ReturnType<SpannerEmulator['store']> & { readonly isMade: () => boolean } {
  let made: ReturnType<typeof make> | undefined;
  const store = (): ReturnType<typeof make> => (made ??= make());
  return {
    name: 'spanner()',
    capabilities: { durable: true, shared: true, remote: true },
    open: (options) => store().open(options),
    options: () => store().options(),
    isMade: () => made !== undefined,
  };
}
