/** W3: two thousand workflows of five steps, against LangGraph.js, Restate and plain XState. */

import { percent, perSecond, times } from '../format.js';
import { stepCount } from '../machines.js';
import type { Figures as Durable } from '../processes/w3-durable.js';
import type { Figures as Plain } from '../processes/w3-plain.js';
import { median, round } from '../statistics.js';
import type { Context, Figure, Outcome, Row, Workload } from '../workload.js';

const goals = { langGraph: 20, restate: 5 };

type Settings = Readonly<Record<string, string | number>>;
type Tried = readonly (Settings & { readonly perSecond: number })[];

interface Peer {
  readonly workflowsPerSecond: readonly number[];
  readonly settings: Settings;
  readonly tried: Tried;
}

interface Restate extends Peer {
  readonly asInstalled: Omit<Peer, 'tried'>;
}

interface LangGraph {
  readonly stateGraph: Peer;
  readonly functional: Peer;
}

export const w3: Workload = {
  id: 'w3',
  title: 'W3 2,000 workflows of five steps',
  async run(context: Context): Promise<Outcome> {
    const workflows = context.size(2_000, 500);
    const tuningWorkflows = context.size(500, 200);
    const repetitions = context.size(3, 2);
    const settings = { workflows, tuningWorkflows, repetitions };
    // Before, between and after the peers: the machine may be slower for minutes.
    const durable: Durable[] = [];
    const plain: Plain[] = [];
    const measureOurs = async (): Promise<void> => {
      const concurrencies = durable[0] === undefined ? [100, 500, 2_000] : [durable[0].concurrency];
      durable.push(
        await context.progress.during('W3 Statewarden', () =>
          context.measure<Durable>('w3-durable', { ...settings, tuningWorkflows: workflows, concurrencies }),
        ),
      );
      plain.push(await context.progress.during('W3 plain XState', () => context.measure<Plain>('w3-plain', { workflows, repetitions })));
    };
    await measureOurs();
    const langGraph = await context.peer<LangGraph>('langgraph', 'W3 LangGraph.js', {
      ...settings,
      tuningWorkflows: context.size(200, 100),
    });
    await measureOurs();
    const restate = await context.peer<Restate>('restate', 'W3 Restate', settings);
    await measureOurs();

    const concurrency = durable[0]?.concurrency ?? 0;
    const ours = median(durable.flatMap((run) => run.workflowsPerSecond));
    const inMemory = median(plain.flatMap((run) => run.workflowsPerSecond));
    const vsXState = median(durable.map((run, index) => median(run.workflowsPerSecond) / median(plain[index]?.workflowsPerSecond ?? [])));
    const measure = `workflows, ${String(concurrency)} at once`;
    const versus = (measured: Omit<Peer, 'tried'>, against: string, goal?: number): Row => {
      const theirs = median(measured.workflowsPerSecond);
      const row = { workload: 'W3', measure, ours: perSecond(ours), against, theirs: perSecond(theirs), ratio: times(ours / theirs) };
      return goal === undefined ? row : { ...row, goal: `≥ ${String(goal)} ×`, met: ours / theirs >= goal };
    };
    const absent = (against: string, goal: number, reason: string): Row => ({
      workload: 'W3',
      measure,
      ours: perSecond(ours),
      against,
      theirs: 'not run',
      ratio: reason.length > 24 ? 'see below' : reason,
      goal: `≥ ${String(goal)} ×`,
    });

    const figures: Record<string, Figure> = {
      vsLangGraph: null,
      vsRestate: null,
      vsXState: round(vsXState),
      workflowsPerSecond: round(ours),
      stepsPerSecond: round(ours * stepCount),
      settings: { ...settings, steps: stepCount, concurrency },
      raw: {
        statewarden: durable.map((run) => run.workflowsPerSecond.map((figure) => round(figure))),
        statewardenTried: told(durable[0]?.tried ?? []),
        xstate: plain.map((run) => run.workflowsPerSecond.map((figure) => round(figure))),
      },
    };
    const rows: Row[] = [];
    const notes: string[] = [];
    if ('notRun' in langGraph) {
      figures['langGraph'] = { notRun: langGraph.notRun };
      rows.push(absent('LangGraph.js + SQLite', goals.langGraph, langGraph.notRun));
      notes.push(`LangGraph.js was not run: ${langGraph.notRun}`);
    } else {
      const { stateGraph, functional } = langGraph;
      const graphRate = median(stateGraph.workflowsPerSecond);
      const functionalRate = median(functional.workflowsPerSecond);
      figures['vsLangGraph'] = round(ours / Math.max(graphRate, functionalRate));
      figures['vsLangGraphStateGraph'] = round(ours / graphRate);
      figures['vsLangGraphFunctional'] = round(ours / functionalRate);
      figures['langGraph'] = { stateGraph: peerFigures(stateGraph), functional: peerFigures(functional) };
      const graphIsBest = graphRate >= functionalRate;
      rows.push(versus(stateGraph, 'LangGraph.js StateGraph ¹', graphIsBest ? goals.langGraph : undefined));
      rows.push(versus(functional, 'LangGraph.js functional ¹', graphIsBest ? undefined : goals.langGraph));
      notes.push(
        `¹ SQLite checkpointer with synchronous=${String(functional.settings['synchronous'])}: weaker than Statewarden's FULL, a power cut may lose what it acknowledged.`,
        `  Best of what was tried: ${said(stateGraph.settings)}; ${said(functional.settings)}. The goal is against the faster of the two.`,
      );
    }
    if ('notRun' in restate) {
      figures['restate'] = { notRun: restate.notRun };
      rows.push(absent('Restate', goals.restate, restate.notRun));
      notes.push(`Restate was not run: ${restate.notRun}`);
    } else {
      figures['vsRestate'] = round(ours / median(restate.workflowsPerSecond));
      const { asInstalled } = restate;
      figures['vsRestateAsInstalled'] = round(ours / median(asInstalled.workflowsPerSecond));
      figures['restate'] = peerFigures(restate);
      figures['restateAsInstalled'] = peerFigures({ ...asInstalled, tried: [] });
      rows.push(versus(asInstalled, 'Restate as installed ²'));
      rows.push(versus(restate, 'Restate, tuned ²', goals.restate));
      notes.push(
        '² One server on loopback, its log fsynced; the goal is against the faster.',
        `  Best of what was tried: ${said(asInstalled.settings)}; ${said(restate.settings)}.`,
      );
    }
    rows.push({
      workload: 'W3',
      measure: `steps, ${String(concurrency)} workflows at once`,
      ours: perSecond(ours * stepCount),
      against: 'plain XState, in memory',
      theirs: perSecond(inMemory * stepCount),
      ratio: percent(vsXState),
    });
    return { figures, rows, notes };
  },
};

function peerFigures({ workflowsPerSecond, settings, tried }: Peer): Figure {
  return {
    workflowsPerSecond: round(median(workflowsPerSecond)),
    stepsPerSecond: round(median(workflowsPerSecond) * stepCount),
    settings,
    raw: workflowsPerSecond.map((figure) => round(figure)),
    tried: told(tried),
  };
}

function told(tried: Tried): Figure {
  return tried.map((setting) => ({ ...setting, perSecond: round(setting.perSecond) }));
}

function said(settings: Settings): string {
  return Object.entries(settings)
    .filter(([name]) => name !== 'synchronous')
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}
