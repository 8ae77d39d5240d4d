/** The command line on a store in which people are waited for: what is held, what is to be decided, what cannot be undone. */

import { expect } from 'chai';
import { userInfo } from 'node:os';
import { parsed, statewarden, type Ran } from './command-line.js';
import { openPeople, peopleStore, until } from './people-store.js';
import { sampleStore, type SampleStore } from './sample-store.js';

type Row = Record<string, unknown>;
const rows = (ran: Ran, name: string): Row[] => parsed(ran.stdout)[name] as Row[];

describe('what waits for people', () => {
  let sample: SampleStore;
  before(async () => {
    sample = await peopleStore();
  });
  after(() => sample.remove());
  const run = (...args: string[]): Promise<Ran> => statewarden([...args, '--store', sample.path]);
  /** With a store of its own, for what changes it. */
  const own = async (work: (place: SampleStore, run: (...args: string[]) => Promise<Ran>) => Promise<void>): Promise<void> => {
    const place = await peopleStore();
    try {
      await work(place, (...args) => statewarden([...args, '--store', place.path]));
    } finally {
      place.remove();
    }
  };
  const idOf = async (list: 'holds' | 'approvals', agent: string, from = run): Promise<string> =>
    String(rows(await from(list, '--json'), list).find(({ agentId }) => agentId === agent)?.['operationId']);

  describe('statewarden holds', () => {
    it('lists what is held, and what nobody knows', async () => {
      const { code, stdout, stderr } = await run('holds');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const lines = stdout.trimEnd().split('\n');
      expect(lines[0]).to.match(/^AGENT +ACTIVITY +SINCE +SAGA +OPERATION +WHY$/);
      expect(lines.slice(1).map((line) => line.split(/\s+/).slice(0, 2).join(' '))).to.deep.equal([
        'orders/o-1 pay',
        'orders/o-12 pay',
        'trips/t-1 compensation.undo',
      ]);
      expect(lines[1]).to.match(/ago +orders\/o-1:0\.\S+ +nobody knows whether activity "pay" was carried out: the line was cut$/);
      expect(lines[3]).to.match(/ rome +trips\/t-1:\S+ +the compensation of saga "rome" cannot undo hotel: the hotel is closed$/);
      expect((await run('holds', '--unknown')).stdout).to.match(/^letters\/l-1 +post /m);
      expect((await run('holds', 'ls', '--agent', 'orders/o-12')).stdout.trimEnd().split('\n')).to.have.lengthOf(2);
      expect((await run('holds', '--limit', '1')).stdout).to.match(/\n… more: --limit\n$/);
      const timeless = (ran: Ran): string => ran.stdout.replace(/\d+ m?s ago/g, 'ago').replace(/ +/g, ' ');
      expect(timeless(await statewarden(['holds', sample.path]))).to.equal(timeless(await statewarden(['holds', 'ls', sample.path])));
    });

    it('has stable names in JSON', async () => {
      const ran = await run('holds', '--json', '--limit', '2');
      expect(parsed(ran.stdout)['more']).to.equal(true);
      const [first] = rows(ran, 'holds');
      expect(first).to.deep.include({
        agentId: 'orders/o-1',
        activity: 'pay',
        input: { cents: 5, on: { $sw: 'date', v: 0 } },
        saga: null,
        compensates: null,
        resolutions: [],
      });
      expect(first?.['error']).to.include({ name: 'OutcomeUnknownError', code: 'OUTCOME_UNKNOWN' });
      const shown = parsed((await run('holds', 'show', String(first?.['operationId']), '--json')).stdout);
      expect(shown).to.deep.equal({ ...first, status: 'held', failedAttempts: 1, answer: null });
    });

    it('shows one, by its id or by a beginning that no other has', async () => {
      const id = await idOf('holds', 'orders/o-12');
      const { stdout, stderr, code } = await run('holds', 'show', 'orders/o-12');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: `orders/o-12 is ${id}\n` });
      expect(stdout)
        .to.match(/^activity +pay$/m)
        .and.to.match(/^status +held$/m)
        .and.to.match(/^failed attempts +1$/m)
        .and.to.match(/^why +nobody knows whether activity "pay" was carried out: the line was cut$/m)
        .and.to.match(/^cause +Error: the line was cut$/m)
        .and.to.match(/^what to do +Find out, then say so: statewarden holds done\|retry\|fail /m)
        .and.to.include('Input\n  { cents: 5, on: 1970-01-01T00:00:00.000Z }');
      expect((await run('holds', 'show', id)).stdout.split('\n')[0]).to.equal(`operation        ${id}`);
      const unknown = rows(await run('holds', '--unknown', '--json'), 'holds')[0]?.['operationId'];
      expect((await run('holds', 'show', String(unknown))).stdout).to.match(/^status +unknown$/m);
    });

    it('takes no beginning that several have, and none that nothing has', async () => {
      for (const action of ['show', 'retry', 'fail']) {
        const { code, stdout, stderr } = await run('holds', action, 'orders/o-1');
        expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
        expect(stderr).to.match(
          /^UNKNOWN_OPERATION: 2 operations that wait begin with "orders\/o-1"\nhint: Did you mean "orders\/o-1:.*", "orders\/o-12:.*"\?\n$/,
        );
      }
      expect((await run('holds', 'show', 'orders/o-7')).stderr).to.match(
        /^UNKNOWN_OPERATION: no operation that waits begins with "orders\/o-7"\nhint: (Did you mean|List them with)/,
      );
      const approval = await idOf('approvals', 'loans/l-1');
      expect((await run('holds', 'show', approval)).stderr).to.match(/is an approval\nhint: Look at it with: statewarden approvals show /);
    });

    it('takes a word once, whoever is up, and the machine goes on with it', async () =>
      own(async (place, on) => {
        const first = await idOf('holds', 'orders/o-1', on);
        expect(
          (await on('holds', 'done', first, '--result', '{"receipt":7}', '--by', 'ada', '--note', 'seen in the bank')).stdout,
        ).to.equal('done: pay of orders/o-1, says ada; no runtime is up, taken when one starts\n');
        const again = await on('holds', 'fail', first, '--by', 'bob');
        expect(again.code).to.equal(1);
        expect(again.stderr).to.match(
          /^NOT_HELD: operation ".*" was answered by ada at .*\nhint: Each hold takes one answer; nothing was changed\.\n$/,
        );
        expect((await on('holds', 'show', first)).stdout).to.match(
          /^answered +done with \{ receipt: 7 \} by ada, .* ago: seen in the bank; its agent has not taken it yet$/m,
        );
        const said = await on('holds', 'retry', 'orders/o-12', '--json');
        expect(parsed(said.stdout)).to.include({
          agentId: 'orders/o-12',
          activity: 'pay',
          order: 'retry',
          by: userInfo().username,
          note: null,
        });
        await using runtime = await openPeople(place.path, { works: true });
        expect(await runtime.agent('orders/o-1').result()).to.deep.equal({ receipt: 7 });
        expect(await runtime.agent('orders/o-12').result()).to.equal('paid');
        const shown = (await on('holds', 'show', first)).stdout;
        expect(shown)
          .to.match(/^status +succeeded$/m)
          .and.to.match(/What was said\n {2}done with \{ receipt: 7 \} by ada, .* ago: seen in the bank$/m);
        expect((await on('holds', '--agent', 'orders/o-1')).stdout).to.equal('nothing is held\n');
      }));

    it('fails one that is held, while somebody is up', async () =>
      own(async (place, on) => {
        await using runtime = await openPeople(place.path);
        expect((await on('holds', 'fail', 'orders/o-12', '--by', 'ada', '--note=never arrived')).stdout).to.equal(
          'failed: pay of orders/o-12, says ada\n',
        );
        await until('ended', async () => (await runtime.holds.list({ agentId: 'orders/o-12' })).length === 0);
        expect(await runtime.agent('orders/o-12').result()).to.equal('activity "pay" was said to have failed by ada: never arrived');
      }));

    it('asks what it came to, unless it has undone something', async () =>
      own(async (_, on) => {
        const asked = await on('holds', 'done', 'orders/o-12', '--by', 'ada');
        expect(asked.code).to.equal(2);
        expect(asked.stderr).to.match(/USAGE: what did pay come to\?\nhint: Its machine goes on with that: --result /);
        const text = await on('holds', 'done', 'orders/o-12', '--by', 'ada', '--result', 'paid');
        expect(text.code).to.equal(2);
        expect(text.stderr).to.match(/^USAGE: the result is not JSON: .*\nhint: Write a text in quotes of its own: --result '"paid"'\.\n$/);
        expect((await on('holds', 'done', 'trips/t-1', '--by', 'ada')).code).to.equal(0);
        expect((await on('holds', 'done', 'orders/o-12', '--by', 'ada', '--result', 'null')).code).to.equal(0);
        expect((await on('holds', 'done', await idOf('holds', 'orders/o-1', on), '--by', '', '--result', '1')).stderr).to.match(
          /^BAD_INPUT: by is ""/,
        );
      }));
  });

  describe('statewarden approvals', () => {
    it('lists what is to be decided, and shows one', async () => {
      const { code, stdout, stderr } = await run('approvals');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const lines = stdout.trimEnd().split('\n');
      expect(lines[0]).to.match(/^AGENT +WHAT +CHOICES +SINCE +DEADLINE +OPERATION$/);
      expect(lines[1]).to.match(/^loans\/l-1 +Lend 10,000 to Ada\? +approved, rejected +\d+ (ms|s) ago +in 2 d +loans\/l-1:/);
      expect(lines[2]).to.match(/^medals\/m-1 +Which\? +gold, silver +\d+ (ms|s) ago +medals\/m-1:/);
      expect((await run('approvals', 'ls', '--agent', 'medals/m-1', '--json')).stdout).to.not.include('Ada');
      const shown = await run('approvals', 'show', 'loans/l-1');
      expect(shown.stdout)
        .to.match(/^what +Lend 10,000 to Ada\?$/m)
        .and.to.match(/^status +waits$/m)
        .and.to.match(/^deadline +.* \(in 2 d\)$/m)
        .and.to.include('Details\n  { score: 712 }');
      expect((await run('approvals', 'show', 'medals')).stdout).to.match(/^deadline +none$/m);
      const [first] = rows(await run('approvals', '--json'), 'approvals');
      expect(Object.keys(first ?? {})).to.have.members(['agentId', 'operationId', 'since', 'title', 'choices', 'details', 'deadline']);
      const document = parsed((await run('approvals', 'show', 'loans/l-1', '--json')).stdout);
      expect(document).to.deep.equal({ ...first, status: 'held', answer: null });
      const hold = await idOf('holds', 'orders/o-12');
      expect((await run('approvals', 'approve', hold, '--by', 'ada')).stderr).to.match(/^UNKNOWN_OPERATION: operation ".*" is no approval/);
    });

    it('decides once', async () =>
      own(async (place, on) => {
        const id = await idOf('approvals', 'loans/l-1', on);
        expect((await on('approvals', 'approve', 'loans/l-1', '--by', 'ada', '--note', 'known for years')).stdout).to.equal(
          'approved: Lend 10,000 to Ada? (loans/l-1), says ada; no runtime is up, taken when one starts\n',
        );
        expect((await on('approvals', 'reject', id, '--by', 'bob')).stderr).to.match(/^NOT_HELD: .* was answered by ada at /);
        expect((await on('approvals', 'show', id)).stdout).to.match(
          /^answered +done with 'approved' by ada, .*: known for years; its agent has not taken it yet$/m,
        );
        const wrong = await on('approvals', 'decide', 'medals/m-1', 'approved', '--by', 'ada');
        expect(wrong).to.deep.include({ code: 1, stdout: '' });
        expect(wrong.stderr).to.match(/BAD_INPUT: "approved" cannot be decided of "Which\?"\nhint: Use one of gold, silver\./);
        const decided = await on('approvals', 'decide', 'medals/m-1', 'silver', '--by', 'ada', '--json');
        expect(parsed(decided.stdout)).to.include({ agentId: 'medals/m-1', decision: 'silver', by: 'ada', note: null });
        await using runtime = await openPeople(place.path);
        expect(await runtime.agent('loans/l-1').result()).to.include({ decision: 'approved', by: 'ada', note: 'known for years' });
        expect(await runtime.agent('medals/m-1').result()).to.include({ decision: 'silver' });
        expect((await on('approvals')).stdout).to.equal('nothing is to be decided\n');
        expect((await on('approvals', 'show', id)).stdout)
          .to.match(/^status +succeeded$/m)
          .and.to.match(/^answered +done with 'approved' by ada, .*: known for years$/m);
      }));
  });

  describe('statewarden saga', () => {
    it('lists those that wait, or all', async () => {
      const { code, stdout, stderr } = await run('saga');
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      const lines = stdout.trimEnd().split('\n');
      expect(lines[0]).to.match(/^AGENT +SAGA +STATUS +STEPS +UNDONE +SINCE +NEXT RETRY +WHY$/);
      expect(lines[1]).to.match(
        /^trips\/t-1 +rome +held +2 +0 +\d+ (ms|s|min) ago +the compensation of saga "rome" cannot undo hotel: the hotel is closed$/,
      );
      expect(lines[2]).to.match(/^trips\/t-2 +rome +compensating +2 +0 +\d+ (ms|s) ago +in (10|9) min +busy$/);
      expect(lines).to.have.lengthOf(3);
      expect((await run('saga', 'ls', '--all')).stdout).to.match(/^trips\/t-3 +rome +forward +2 +0 /m);
      expect((await run('saga', 'ls', '--all', '--limit', '1')).stdout).to.match(/… more: --limit/);
      expect((await run('saga', 'ls', '--agent', 'trips/t-3')).stdout).to.equal('no saga is held or being undone\n');
    });

    it('shows one, step by step, in order of completion', async () => {
      const held = (await run('saga', 'show', 'trips/t-1')).stdout;
      expect(held)
        .to.match(/^status +held$/m)
        .and.to.match(/^to be undone +known$/m)
        .and.to.match(/^STEP +STATUS +ENDED +UNDOING +FAILED +NEXT RETRY +OPERATION +ERROR$/m)
        .and.to.match(/^flight +succeeded +.* ago +trips\/t-1:\S+$/m)
        .and.to.match(
          /^hotel +succeeded +.* ago +undo held +1 +trips\/t-1:\S+ +the compensation of saga "rome" cannot undo hotel: the hotel is closed$/m,
        )
        .and.to.match(/^to go on: statewarden saga resume\|skip\|abandon "trips\/t-1" --saga "rome"$/m);
      expect(held.indexOf('\nflight')).to.be.below(held.indexOf('\nhotel'));
      const waiting = (await run('saga', 'show', 'trips/t-2', '--saga', 'rome')).stdout;
      expect(waiting).to.match(/^hotel +succeeded +.* ago +undo started +1 +in (10|9) min +trips\/t-2:\S+ +busy$/m);
      const document = parsed((await run('saga', 'show', 'trips/t-1', '--json')).stdout);
      expect(document).to.include({ agentId: 'trips/t-1', saga: 'rome', status: 'held' });
      expect(document['plan']).to.include({ deed: 'plan', status: 'succeeded' });
      const steps = document['steps'] as Row[];
      expect(steps.map(({ activity, status }) => `${String(activity)} ${String(status)}`)).to.deep.equal([
        'flight succeeded',
        'hotel succeeded',
      ]);
      expect(Object.keys(steps[1]?.['undoing'] as Row)).to.have.members([
        'operationId',
        'deed',
        'status',
        'failedAttempts',
        'nextRetryAt',
        'error',
        'resolutions',
      ]);
    });

    it('resumes, skips and abandons what is held', async () => {
      for (const [order, word, state, flight] of [
        ['resume', 'resumed', 'undone', 'compensated'],
        ['skip', 'skipped', 'undone', 'compensated'],
        ['abandon', 'abandoned', 'stuck', 'succeeded'],
      ] as const) {
        await own(async (place, on) => {
          expect((await on('saga', order, 'trips/t-1', '--by', 'ada', '--note', 'by phone')).stdout).to.equal(
            `${word}: rome of trips/t-1, 1 operation, says ada; no runtime is up, taken when one starts\n`,
          );
          expect((await on('saga', order, 'trips/t-1', '--by', 'bob')).stderr).to.match(/^NOT_HELD: .* was answered by ada at /);
          await using runtime = await openPeople(place.path);
          await until(order, async () => (await runtime.store.lookup(['trips/t-1']))[0]?.state === JSON.stringify(state));
          const { stdout } = await on('saga', 'show', 'trips/t-1');
          expect(stdout).to.match(new RegExp(`^flight +${flight} `, 'm'));
          expect(stdout).to.match(/What was said\n {2}(retry|done|abandoned) by ada, .* ago: by phone$/m);
          expect((await on('saga', order, 'trips/t-1', '--by', 'bob')).stderr).to.match(
            /^NOT_HELD: saga "rome" of agent "trips\/t-1" is not held: it is (compensated|abandoned)/,
          );
        });
      }
    });

    it('names what there is when it cannot do it', async () => {
      expect((await run('saga', 'show', 'trips/t-1', '--saga', 'paris')).stderr).to.match(
        /^BAD_INPUT: agent "trips\/t-1" has no saga "paris"\nhint: Name one of "rome"\./,
      );
      expect((await run('saga', 'show', 'orders/o-1')).stderr).to.match(/^BAD_INPUT: agent "orders\/o-1" has no saga yet\nhint: /);
      expect((await run('saga', 'show', 'trips/t-7')).stderr).to.match(/^UNKNOWN_AGENT: .*\nhint: Did you mean "trips\/t-1"/);
      expect((await run('saga', 'skip', 'trips', '--by', 'ada')).stderr).to.match(/^UNKNOWN_AGENT: /);
      expect((await run('saga', 'skip', 'trips/t-2', '--by', 'ada')).stderr).to.match(
        /^NOT_HELD: saga "rome" of agent "trips\/t-2" is not held: it is compensating/,
      );
    });
  });

  it('is seen in show and doctor', async () => {
    const pay = (await run('show', 'orders/o-12')).stdout;
    expect(pay).to.match(/^ACTIVITY +STATUS +FAILED +NEXT RETRY +SINCE +OPERATION +LAST ERROR$/m);
    expect(pay).to.match(/^pay +held +1 +.*OutcomeUnknownError: nobody knows/m);
    expect(pay).to.match(/^it waits for a person: statewarden holds show "orders\/o-12:/m);
    expect((await run('show', 'loans/l-1')).stdout)
      .to.match(/^approval +held +0 /m)
      .and.to.match(/^it waits for a person: statewarden approvals show "loans\/l-1:/m);
    const { code, stdout } = await run('doctor');
    expect(code).to.equal(0);
    expect(stdout)
      .to.match(
        /^notice: 3 operations held until a person says what became of them\. Look at them with `statewarden holds`, and say so\.$/m,
      )
      .and.to.match(
        /^notice: 1 operation ended without anybody knowing whether it was carried out\. Look at them with `statewarden holds --unknown`\.$/m,
      )
      .and.to.match(/^notice: 2 decisions waited for\. Look at them with `statewarden approvals`\.$/m);
    expect(parsed((await run('doctor', '--json')).stdout)['people']).to.deep.equal({ held: 3, unknown: 1, approvals: 2 });
  });

  it('is nothing in a store where nobody is waited for', async () => {
    const other = await sampleStore();
    try {
      expect((await statewarden(['holds', other.path])).stdout).to.equal('nothing is held\n');
      expect((await statewarden(['holds', '--unknown', other.path])).stdout).to.equal('nothing has ended without anybody knowing\n');
      expect((await statewarden(['approvals', other.path])).stdout).to.equal('nothing is to be decided\n');
      expect((await statewarden(['saga', other.path])).stdout).to.equal('no saga is held or being undone\n');
      expect((await statewarden(['saga', 'ls', '--all', other.path])).stdout).to.equal('no sagas\n');
      expect((await statewarden(['doctor', other.path])).stdout).to.not.match(/person|decision|knowing/);
      expect((await statewarden(['holds', 'show', 'x:y:1', other.path])).stderr).to.match(/hint: List them with `statewarden holds`\./);
    } finally {
      other.remove();
    }
  });

  for (const [args, expected] of [
    [['holds', 'show'], /holds show needs the id of an operation\nhint: Write statewarden holds show OPERATION \[STORE\]\./],
    [['holds', 'don', 'x'], /"don" is no action and no store\nhint: Did you mean "done"\?/],
    [['holds', 'show', 'x', '--by', 'ada'], /--by is no option of holds show\nhint: It has none\./],
    [['holds', 'retry', 'x', '--result', '1'], /--result is no option of holds retry/],
    [['holds', 'retry', 'x', 'a.db', 'more'], /"more" is one word too many/],
    [['holds', '--limit', 'few'], /--limit is "few"/],
    [['holds', 'retry', 'x', '--by'], /--by/],
    [['holds', 'retry', 'x', '--note', '--by', 'ada'], /--note/],
    [
      ['approvals', 'decide', 'x'],
      /approvals decide needs a decision\nhint: Write statewarden approvals decide OPERATION DECISION \[STORE\]\./,
    ],
    [['approvals', 'ls', '--unknown'], /[Uu]nknown option|--unknown is no option of approvals ls/],
    [['approvals', 'aprove', 'x'], /Did you mean "approve"\?/],
    [['saga', 'skip'], /saga skip needs the id of an agent/],
    [['saga', 'show', 'x', '--all'], /--all is no option of saga show\nhint: It has --saga\./],
    [['saga', 'constructor', 'x'], /"constructor" is no action/],
  ] as const) {
    it(`is called wrongly with: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await statewarden(args, { cwd: sample.folder });
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(expected);
    });
  }
});
