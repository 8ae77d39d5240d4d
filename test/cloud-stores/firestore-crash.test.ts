/** The scenario of the crash suite on Firestore: killed at each of its writes in turn and gone on with. And two processes on one store: one is killed, or stopped past its lease. */

import { expect } from 'chai';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRuntime } from 'statewarden';
import { firestore } from 'statewarden/firestore';
import { describeFirestore, firestoreEmulator, newProject } from '../cloud/firestore-emulator.js';
import { inFolder, judge, live, onlyWrites, writesOf } from '../crash/lives.js';
import { holdingKinds, holdingPath, lines, type Said } from './firestore-holding.js';

/** Where it dies, in turn: not sent; written and not told. */
const places = ['firestore:before-commit', 'firestore:after-commit'] as const;
const scenarioLeaseMs = 1_000;

interface Tally {
  writes: number;
  again: number;
}

/** Kills the n-th write for every n that leaves `lane` when divided by `lanes`, until a life has fewer of them. */
async function killEach(lane: number, lanes: number): Promise<Tally> {
  const tally: Tally = { writes: 0, again: 0 };
  for (const write of writesOf(lane, lanes)) {
    const over = await inFolder(async (folder) => {
      const place = places[write % places.length] as string;
      const first = await live(folder, { failpoints: `${place}=crash@${String(write)}` });
      if (first.code === 0) return true;
      expect(first, `write ${String(write)}`).to.include({ signal: 'SIGKILL', stderr: '' });
      await new Promise((resolve) => setTimeout(resolve, scenarioLeaseMs));
      expect(await live(folder), `after ${place} of write ${String(write)}`).to.include({ code: 0, stderr: '' });
      const verdict = await judge(folder);
      expect(verdict.violations, `${place} of write ${String(write)}`).to.deep.equal([]);
      tally.writes += 1;
      tally.again += verdict.again;
      return false;
    });
    if (over) break;
  }
  return tally;
}

describeFirestore('processes on firestore() that are killed', function () {
  let host = '';

  before(async function () {
    this.timeout(60_000);
    ({ host } = await firestoreEmulator());
    process.env['FIRESTORE_EMULATOR_HOST'] = host;
    process.env['STATEWARDEN_TEST_STORE'] = 'firestore';
  });
  after(() => {
    delete process.env['FIRESTORE_EMULATOR_HOST'];
    delete process.env['STATEWARDEN_TEST_STORE'];
  });

  it('go on where they were: nothing acknowledged is lost, nothing is recorded twice', async function () {
    this.timeout(600_000);
    const tallies = await Promise.all([1, 2].map((lane) => killEach(lane, 2)));
    const writes = tallies.reduce((sum, tally) => sum + tally.writes, 0);
    const again = tallies.reduce((sum, tally) => sum + tally.again, 0);
    process.stdout.write(`      ${String(writes)} writes, ${String(writes)} crashes, ${String(again)} calls made again\n`);
    expect(writes).to.be.at.least(onlyWrites.length || 10);
    expect(again).to.be.at.most(writes * 4);
  });

  describe('with others beside them', function () {
    this.timeout(60_000);
    const leaseMs = 2_000;
    const children: ChildProcess[] = [];
    const said = async (child: ChildProcess): Promise<string> => ((await once(child, 'message')) as [string])[0];

    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
    });
    const holder = (...args: string[]): ChildProcess => {
      const child = fork(holdingPath, args, { execArgv: ['--no-warnings'] });
      children.push(child);
      return child;
    };

    it('leave their agents to the other one within seconds, and none is run by both', () =>
      inFolder(async (folder) => {
        const project = newProject();
        const many = 100;
        const one = holder(folder, project, String(leaseMs), 'one', String(many));
        expect(await said(one)).to.equal('holding');
        const other = holder(folder, project, String(leaseMs), 'other', '0');
        expect(await said(other)).to.equal('holding');
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        one.kill('SIGKILL');
        const killedAt = Date.now();
        const adopted = (): Set<string> =>
          new Set(
            lines<Said>(folder)
              .filter(({ who }) => who === 'other')
              .map(({ agent }) => agent),
          );
        while (adopted().size < many && Date.now() < killedAt + 30_000) await new Promise((resolve) => setTimeout(resolve, 50));
        expect(adopted().size).to.equal(many);
        const all = lines<Said>(folder);
        const firsts = [...adopted()].map((agent) => all.find((line) => line.agent === agent && line.who === 'other')?.at ?? Infinity);
        firsts.sort((a, b) => a - b);
        const p99 = (firsts[Math.ceil(many * 0.99) - 1] ?? Infinity) - killedAt;
        process.stdout.write(`      ${String(many)} agents adopted, p99 ${String(p99)} ms after the kill, lease ${String(leaseMs)} ms\n`);
        // From outside: what one of them has done it did before its death, the other after it.
        expect(Math.max(...all.filter(({ who }) => who === 'one').map(({ at }) => at))).to.be.at.most(killedAt);
        expect(Math.min(...all.filter(({ who }) => who === 'other').map(({ at }) => at))).to.be.at.least(killedAt);
        // An attempt is told once by each process that makes it.
        const once = new Set(all.map(({ who, agent, beat }) => `${who} ${agent} ${String(beat)}`));
        expect(once.size).to.equal(all.length);
      }));

    for (const goesOn of [true, false]) {
      const where = goesOn ? 'went on elsewhere' : 'is held elsewhere, and stands where it was left';
      it(`write nothing when they were stopped past their lease: their agent ${where}`, () => stopped(goesOn));
    }

    function stopped(goesOn: boolean): Promise<void> {
      return inFolder(async (folder) => {
        const project = newProject();
        const one = holder(folder, project, '600', 'one', '1');
        expect(await said(one)).to.equal('holding');
        await using runtime = await createRuntime({
          store: firestore({ project, emulator: host }),
          agents: holdingKinds(folder, 'this'),
          node: { leaseMs: 600, spread: false },
        });
        const agent = runtime.agent<'counter'>('counter');
        await agent.snapshot().then(
          () => expect.fail('it was taken from a live holder'),
          (error: unknown) => expect(error).to.include({ code: 'AGENT_OWNED' }),
        );
        one.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        if (goesOn) expect((await agent.send({ type: 'ADD' }, { messageId: 'from the new holder' })).sequenceNumber).to.equal(3);
        else expect((await agent.snapshot()).context).to.deep.equal({ count: 1 });
        const observer = await firestore({ project, emulator: host }).open({ now: Date.now });
        const before = await observer.inspect('counter');
        one.kill('SIGCONT');
        one.send('write');
        expect(await said(one)).to.equal('LEASE_LOST');
        expect(await observer.inspect('counter')).to.deep.equal(before);
        await observer.close();
        expect((await agent.snapshot()).context).to.deep.equal({ count: goesOn ? 2 : 1 });
      });
    }
  });
});
