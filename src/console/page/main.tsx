/** The console's page: begins here. */

import { effect } from '@preact/signals';
import { render, type VNode } from 'preact';
import type { About, Failure, StreamEvent } from '../api.js';
import { AgentView } from './agent-view.js';
import { AgentsView } from './agents-view.js';
import { BreakersView } from './breakers-view.js';
import { about, ahead, failureOf, get, tryToken } from './client.js';
import { listenToKeys } from './keys.js';
import { LettersView } from './letters-view.js';
import { Empty } from './parts.js';
import { PeopleView } from './people-view.js';
import { agentShown, followAddress, hrefOf, view } from './route.js';
import { RuntimeView } from './runtime-view.js';
import { places, Shell } from './shell.js';
import { follow, missing, returns } from './stream.js';
import { followTheme } from './theme.js';
import { takeTokenFromAddress } from './token.js';
import { TreeView } from './tree-view.js';

function View(): VNode {
  const agent = agentShown.value;
  switch (view.value) {
    case 'agents':
      return agent === undefined ? <AgentsView /> : <AgentView key={agent} id={agent} />;
    case 'tree':
      return <TreeView />;
    case 'breakers':
      return <BreakersView />;
    case 'letters':
      return <LettersView />;
    case 'people':
      return <PeopleView />;
    case 'runtime':
      return <RuntimeView />;
    default:
      return (
        <div class="view">
          <Empty icon="warning" title="There is no such view">
            <a href={hrefOf(['agents'])}>To the agents</a>
          </Empty>
        </div>
      );
  }
}

const always: readonly StreamEvent['type'][] = ['counts', 'people', 'dead-letters'];
const topics: Readonly<Record<string, StreamEvent['type']>> = { agents: 'agents', tree: 'tree', breakers: 'breakers' };

function learn(): void {
  get<About>('about').then(
    (known) => {
      ahead.value = known.now - Date.now();
      about.value = known;
      void tryToken();
    },
    (error: unknown) => {
      const failure: Failure = failureOf(error);
      if (failure.code === 'UNREACHABLE') setTimeout(learn, 2_000);
    },
  );
}

takeTokenFromAddress();
followAddress();
followTheme();
listenToKeys();
effect(() => {
  const shown = agentShown.value;
  const agent = shown === missing.value ? undefined : shown;
  const topic = shown === undefined ? topics[view.value] : undefined;
  follow(agent, topic === undefined ? always : [...always, topic]);
});
effect(() => {
  if (returns.value >= 0) learn();
});
effect(() => {
  const place = places.find(({ name }) => name === view.value)?.title ?? 'Statewarden';
  document.title = `${agentShown.value ?? place} · Statewarden`;
});
render(
  <Shell>
    <View />
  </Shell>,
  document.getElementById('page') as HTMLElement,
);
