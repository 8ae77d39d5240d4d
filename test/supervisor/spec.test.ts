import { expect } from 'chai';
import { checkTree, resolveChild, resolveSupervisor, type SupervisorSpec } from '#src/supervisor/spec.js';

const kinds = new Set(['worker']);
const worker = (id: string, more: object = {}) => ({ id, kind: 'worker', ...more });

describe('a supervision tree as declared', () => {
  it('has the defaults that are written', () => {
    expect(resolveSupervisor({ id: 's' })).to.deep.equal({
      strategy: 'one-for-one',
      intensity: 1,
      periodMs: 5_000,
      delay: undefined,
      autoShutdown: 'never',
    });
    expect(resolveSupervisor({ id: 's', delay: { initialMs: 60_000 } }).delay).to.deep.equal({
      initialMs: 60_000,
      maximumMs: 60_000,
      factor: 2,
      jitter: 'full',
    });
    const rest = { significant: false, input: undefined, heartbeatMs: undefined };
    expect(resolveChild(worker('a'))).to.deep.equal({ id: 'a', kind: 'worker', restart: 'transient', shutdownMs: 5_000, ...rest });
    expect(resolveChild({ id: 's' })).to.deep.equal({
      id: 's',
      kind: undefined,
      restart: 'permanent',
      shutdownMs: Infinity,
      ...rest,
      input: { spec: resolveSupervisor({ id: 's' }), children: [] },
    });
  });

  it('is accepted when all of it can be', () => {
    const tree: SupervisorSpec = {
      id: 'root',
      intensity: 0,
      children: [
        worker('a', { restart: 'temporary', shutdownMs: 0 }),
        {
          id: 'team',
          strategy: 'rest-for-one',
          intensity: Infinity,
          autoShutdown: 'all-significant',
          children: [worker('b', { significant: true })],
        },
        { id: 'empty', delay: { initialMs: 0, maximumMs: 0, factor: 1, jitter: 'none' } },
      ],
    };
    expect(() => checkTree(tree, kinds)).not.to.throw();
  });

  const circle: { id: string; children: unknown[] } = { id: 'inner', children: [] };
  circle.children.push(circle);
  const wrong: readonly [what: string, tree: object, message: string][] = [
    [
      'an id that is there twice',
      { id: 'r', children: [worker('a'), worker('a')] },
      'supervisor "r" › child "a": the id is in the tree twice',
    ],
    [
      'an id that is there twice, far apart',
      { id: 'r', children: [{ id: 't', children: [worker('r')] }] },
      'supervisor "r" › supervisor "t" › child "r": the id',
    ],
    ['no id', { id: 'r', children: [{ kind: 'worker' }] }, 'has no id'],
    ['an empty id', { id: '' }, 'has no id'],
    ['a negative intensity', { id: 'r', intensity: -1 }, 'supervisor "r": intensity is -1'],
    ['half a restart', { id: 'r', intensity: 0.5 }, 'intensity is 0.5'],
    ['a period of nothing', { id: 'r', periodMs: 0 }, 'periodMs is 0'],
    ['an unknown kind', { id: 'r', children: [{ id: 'a', kind: 'warker' }] }, 'child "a": no agents of kind "warker" are registered'],
    ['an unknown strategy', { id: 'r', strategy: 'one-for-some' }, 'strategy is "one-for-some"'],
    ['an unknown restart type', { id: 'r', children: [worker('a', { restart: 'always' })] }, 'child "a": restart is "always"'],
    ['an unknown automatic shutdown', { id: 'r', autoShutdown: 'some' }, 'autoShutdown is "some"'],
    ['a negative shutdown', { id: 'r', children: [worker('a', { shutdownMs: -1 })] }, 'child "a": shutdownMs is -1'],
    ['a circle', { id: 'r', children: [circle] }, 'supervisor "r" › supervisor "inner" › supervisor "inner" contains itself'],
    ['children that are no list', { id: 'r', children: worker('a') }, 'children is no list'],
    ['a child that is none', { id: 'r', children: [null] }, 'child 0 is null'],
    [
      'a significant child that may not end it',
      { id: 'r', children: [worker('a', { significant: true })] },
      'child "a" is significant, and',
    ],
    [
      'a significant child that never ends',
      { id: 'r', autoShutdown: 'any-significant', children: [worker('a', { significant: true, restart: 'permanent' })] },
      'child "a" is significant and permanent',
    ],
    ['a negative delay', { id: 'r', delay: { initialMs: -1 } }, 'delay.initialMs is -1'],
    ['a delay that shrinks', { id: 'r', delay: { initialMs: 10, factor: 0.5 } }, 'delay.factor is 0.5'],
    ['a longest delay below the first', { id: 'r', delay: { initialMs: 10, maximumMs: 5 } }, 'delay.maximumMs is 5'],
    ['an unknown jitter', { id: 'r', delay: { initialMs: 10, jitter: 'some' } }, 'delay.jitter is some'],
  ];
  for (const [what, tree, message] of wrong) {
    it(`is refused with ${what}, saying where`, () => {
      let error: { code?: string; message?: string; hint?: string } = {};
      try {
        checkTree(tree as SupervisorSpec, kinds);
      } catch (thrown) {
        error = thrown as typeof error;
      }
      expect(error.code).to.equal(what.includes('kind') ? 'UNKNOWN_KIND' : 'BAD_INPUT');
      expect(error.message).to.include(message);
      expect(error.hint).to.match(/\.$/);
    });
  }
});
