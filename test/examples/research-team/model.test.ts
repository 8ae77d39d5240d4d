import { expect } from 'chai';
import { TerminalError } from 'statewarden';
import type { Quote, Topic } from '../../../examples/research-team/findings.js';
import { extractiveModel } from '../../../examples/research-team/model/extractive.js';
import { geminiModel, type GenAi } from '../../../examples/research-team/model/gemini.js';
import type { Document } from '../../../examples/research-team/model/language-model.js';
import { retrieve } from '../../../examples/research-team/team/retrieval.js';
import { isVerbatim } from '../../../examples/research-team/text/passages.js';

const options = { signal: new AbortController().signal, idempotencyKey: 'k' };
const model = extractiveModel();

const texts: Readonly<Record<string, string>> = {
  'docs/cache.md': `# Cache
A cache keeps hot entries in memory so that reads are quick.
This is good.

Each cache entry has a lifetime, after which the entry is dropped from memory.

The disk cache survives a restart of the process and is read back lazily.
`,
  'docs/queue.md': `# Queue
A queue hands messages to one worker at a time and keeps their order.

When a worker fails, the queue gives its messages to another worker.

Messages wait on disk until a worker has acknowledged them.
`,
  'docs/both.md': `# Both
The cache and the queue share one disk, so a full disk stops both of them.

A worker may keep cache entries of its own while it handles messages.
`,
};
const documents: Document[] = Object.entries(texts).map(([path, text]) => ({ path, lines: text.split('\n') }));

async function topicOf(subject: string): Promise<Topic> {
  const [topic] = retrieve([{ title: subject, question: `${subject}?`, subject: [subject], companions: ['disk', 'memory'] }], documents);
  return topic!;
}

describe('the extractive model', () => {
  it('plans topics in the words of the documents, in the same way every time', async () => {
    const prompt = { question: 'What?', open: true, topics: 3, documents };
    const { topics } = await model.answer('plan', prompt, options);
    expect(topics).to.have.length(3);
    expect(topics.map(({ title }) => title.toLowerCase()).join(' '))
      .to.match(/cache/)
      .and.match(/worker|queue|message/);
    expect(await model.answer('plan', prompt, options)).to.deep.equal({ topics });
  });

  it('lets a question decide the topics', async () => {
    const { topics } = await model.answer(
      'plan',
      { question: 'What happens to the lifetime of entries?', open: false, topics: 1, documents },
      options,
    );
    expect(topics[0]?.question).to.include('lifetime of entries');
    expect([...(topics[0]?.subject ?? []), ...(topics[0]?.companions ?? [])].join(' ')).to.match(/entry|lifetime/);
  });

  it('has no topic for documents without prose', async () => {
    expect(
      await model.answer(
        'plan',
        { question: 'What?', open: true, topics: 3, documents: [{ path: 'x', lines: ['```', 'code', '```'] }] },
        options,
      ),
    ).to.deep.equal({ topics: [] });
  });

  it('quotes sentences that stand in the document, the most telling first', async () => {
    const topic = await topicOf('cache');
    expect(topic.documents).to.deep.equal(['docs/cache.md', 'docs/both.md']);
    const document = documents[0]!;
    const { quotes, considered } = await model.answer('read', { topic, emphasis: [], document }, options);
    expect(considered).to.equal(3);
    expect(quotes.length).to.be.at.least(2);
    for (const quote of quotes) expect(isVerbatim(document.lines, quote)).to.equal(true);
    expect(quotes.map(({ score }) => score)).to.deep.equal([...quotes.map(({ score }) => score)].sort((one, other) => other - one));
  });

  it('rejects quotes that cannot stand alone, repeat another, or are about something else', async () => {
    const topic = await topicOf('cache');
    const quote = (text: string, firstLine: number): Quote => ({
      path: 'docs/cache.md',
      firstLine,
      lastLine: firstLine,
      text,
      heading: '',
      score: 1,
    });
    const quotes = [
      quote('A cache keeps hot entries in memory so that reads are quick.', 1),
      quote('This makes the cache quick in memory and on disk.', 2),
      quote('The cache keeps hot entries in memory so reads are quick.', 3),
      quote('A queue hands messages to one worker at a time.', 4),
      quote('The cache has these options:', 5),
      quote('The cache is described below in all its glory.', 6),
    ];
    const verdict = await model.answer('critique', { topic, quotes, accepted: [] }, options);
    expect(verdict.rejected.map(({ index }) => index)).to.deep.equal([1, 2, 3, 4, 5]);
    const reasons = verdict.rejected.map(({ reason }) => reason);
    expect(reasons[0]).to.include('stand alone');
    expect(reasons[1]).to.equal('repeats docs/cache.md:1');
    expect(reasons[2]).to.include('does not itself mention');
    expect(reasons[3]).to.include('colon');
    expect(reasons[4]).to.include('below');
    expect(verdict.another).to.equal(true);
    expect(verdict.missing).to.deep.equal(['disk']);
  });

  it('finds what is said twice under different topics', async () => {
    const quote = (topic: number, text: string): Quote & { topic: number } => ({
      topic,
      path: 'p',
      firstLine: topic,
      lastLine: topic,
      text,
      heading: '',
      score: 1,
    });
    const quotes = [quote(1, 'Workers keep their order.'), quote(2, 'Disks may be full.'), quote(2, 'The workers keep their order.')];
    expect(await model.answer('compare', { quotes }, options)).to.deep.equal({ repeats: [{ index: 2, of: 0 }] });
  });
});

describe('the Gemini model', () => {
  const fake =
    (respond: () => Promise<{ text?: string }>): (() => Promise<GenAi>) =>
    async () => ({
      GoogleGenAI: class {
        models = { generateContent: respond };
      },
    });
  const answering = (text: string) => geminiModel({ apiKey: 'k', model: undefined, load: fake(async () => ({ text })) });
  const compare = { quotes: [] };

  it('says what to do without a key or without its package', async () => {
    const error = await geminiModel({ apiKey: undefined, model: undefined }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('hint').that.includes('GEMINI_API_KEY');
  });

  it('takes an answer of the right shape and has others tried again', async () => {
    const gemini = await answering('{"repeats":[{"index":1,"of":0}]}');
    expect(await gemini.answer('compare', compare, options)).to.deep.equal({ repeats: [{ index: 1, of: 0 }] });
    for (const text of ['', 'no', 'null', '{}', '{"repeats":[{"index":"1"}]}', '{"repeats":[null]}']) {
      const error = await (await answering(text)).answer('compare', compare, options).catch((thrown: unknown) => thrown);
      expect(error, text).to.be.instanceOf(Error).and.not.instanceOf(TerminalError);
    }
  });

  it('does not try again what was refused, and tries again what passes', async () => {
    for (const [status, terminal] of [
      [400, true],
      [403, true],
      [429, false],
      [503, false],
    ] as const) {
      const gemini = await geminiModel({
        apiKey: 'k',
        model: 'm',
        load: fake(() => Promise.reject(Object.assign(new Error('no'), { status }))),
      });
      const error = await gemini.answer('compare', compare, options).catch((thrown: unknown) => thrown);
      expect(error instanceof TerminalError, String(status)).to.equal(terminal);
    }
  });
});
