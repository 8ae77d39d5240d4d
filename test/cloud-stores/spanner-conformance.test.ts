import { describeStore } from 'statewarden/testing';
import { scatter } from '#src/persistence/spanner/keys.js';
import { describeSpanner, runSql, SpannerEmulator } from './spanner-emulator.js';

describeSpanner('Spanner', () => {
  let emulator: SpannerEmulator;
  before(async () => (emulator = await SpannerEmulator.start()));
  after(() => emulator.stop());

  describeStore('spanner()', () => {
    // The suite moves the time: leases go by it. The cases of `spanner-leases.test.ts` have Spanner's.
    const store = lazily(() => emulator.store({ leaseTime: 'injected', mailPollMs: 20 }));
    return {
      store,
      corrupt: async (what, agent) => {
        const { database } = await store.options();
        const [table, column, where] = what === 'journal' ? ['journal', 'entries', 'AND first = 1'] : ['checkpoints', 'data', ''];
        const sql = `UPDATE ${table} SET ${column} = CONCAT(${column}, ' ') WHERE agent = ${String(scatter(agent))} ${where}`;
        await runSql(emulator, database, sql);
      },
    };
  });
});

/** The emulator is not up yet when the suite is declared. */
function lazily(make: () => ReturnType<SpannerEmulator['store']>): ReturnType<SpannerEmulator['store']> {
  let made: ReturnType<typeof make> | undefined;
  const store = (): ReturnType<typeof make> => (made ??= make());
  return {
    name: 'spanner()',
    capabilities: { durable: true, shared: true, remote: true },
    open: (options) => store().open(options),
    options: () => store().options(),
  };
}
