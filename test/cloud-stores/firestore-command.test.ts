/** The command line on a Firestore store: `--store firestore://PROJECT`. */

import { expect } from 'chai';
import { applied, checkpoint, message, operation } from '#src/testing/store-cases/scene.js';
import { statewarden } from '../cli/command-line.js';
import { describeFirestore, firestoreEmulator } from '../cloud/firestore-emulator.js';
import { FirestoreStage } from '../cloud/firestore-stage.js';

describeFirestore('statewarden --store firestore://…', function () {
  this.timeout(60_000);
  let stage: FirestoreStage;
  let env: Record<string, string>;

  beforeEach(async () => {
    const { host } = await firestoreEmulator();
    stage = await FirestoreStage.set();
    env = { FIRESTORE_EMULATOR_HOST: host, METADATA_SERVER_DETECTION: 'none' };
  });
  afterEach(() => stage.strike());

  it('lists, reads, sends and examines', async () => {
    const one = await stage.open({ prefix: 'staging' });
    const first = stage.birth(one, 'orders/1', { checkpoint: checkpoint(1), operations: [operation('o')] });
    await applied(one, first);
    await one.post([message('nobody')], 10);
    const run = (...args: string[]) =>
      statewarden([...args, '--store', `firestore://${stage.project}/(default)/staging`, '--json'], { env });
    const list = await run('ls');
    expect(list).to.include({ code: 0, stderr: '' });
    expect(list.stdout).to.include('orders/1');
    expect((await run('journal', 'orders/1')).stdout).to.include('"id": "orders/1"');
    expect((await run('send', 'orders/1', 'PING')).code).to.equal(0);
    expect((await one.mailbox(first.key, 0)).map(({ event }) => event)).to.deep.equal(['{"type":"PING"}']);
    expect((await run('dead-letters')).stdout).to.include('nobody');
    expect((await run('doctor')).stdout).to.include('"healthy"');
  });

  it('makes no store where there is none', async () => {
    const { code, stderr } = await statewarden(['ls', '--store', `firestore://${stage.project}`], { env });
    expect(code).not.to.equal(0);
    expect(stderr).to.match(/^STORE_OPEN: there is no store at firestore:\/\/.*\nhint: /);
    expect(await stage.documents('nodes')).to.equal(0);
  });

  it('says how to log in where there are no credentials', async () => {
    const nothing = {
      FIRESTORE_EMULATOR_HOST: '',
      GOOGLE_APPLICATION_CREDENTIALS: '',
      HOME: '/nonexistent',
      METADATA_SERVER_DETECTION: 'none',
      NO_GCE_CHECK: 'true',
    };
    const { code, stderr } = await statewarden(['ls', '--store', 'firestore://p'], { env: nothing });
    expect(code).not.to.equal(0);
    expect(stderr)
      .to.match(/^STORE_OPEN: /)
      .and.to.match(/gcloud auth application-default login/);
  });
});
