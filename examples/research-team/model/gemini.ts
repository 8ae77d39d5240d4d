/**
 * The same six tasks, asked of Gemini. Each prompt is an instruction and the task's data as JSON; the answer must be JSON of the task's shape, and is
 * tried again when it is not. `@google/genai` is loaded only here and only when asked for.
 */

import { TerminalError } from 'statewarden';
import { UsageError } from '../usage-error.js';
import type { Document, LanguageModel, TaskName, Tasks } from './language-model.js';

/** The part of `@google/genai` that is used. */
export interface GenAi {
  readonly GoogleGenAI: new (options: { apiKey: string }) => {
    readonly models: {
      generateContent(request: { model: string; contents: string; config: object }): Promise<{ readonly text?: string | undefined }>;
    };
  };
}

export interface GeminiOptions {
  readonly apiKey: string | undefined;
  readonly model: string | undefined;
  /** Loads the SDK. */
  readonly load?: () => Promise<GenAi>;
}

const defaultModel = 'gemini-flash-latest';

const instructions: Readonly<Record<TaskName, string>> = {
  plan: 'You plan research. Divide the question into at most `topics` topics that overlap little and that these documents can answer. For each give a short title, a question, the one to three words that make its subject, and up to six words that go with it, all as they occur in the documents. Answer {"topics":[{"title","question","subject":[],"companions":[]}]}.',
  read: 'You read one document for a topic. Quote up to four sentences that speak to it, exactly as they stand, each with the numbers of its first and last line, a relevance score from 0 to 10, and the heading above it (or ""). Look above all for the words in `emphasis`. Answer {"quotes":[{"text","firstLine","lastLine","score","heading"}]}.',
  score:
    'Choose the best quotes for the topic, at most `count`, best first, from several sources, none repeating another. Answer {"order":[index, …]} with their places in `quotes`, from 0.',
  critique:
    'You are a strict critic. Reject each of `quotes` that cannot be understood by itself, is not about the topic, or repeats another one, also of `accepted`. Say which important words of the topic no remaining quote covers and whether another round of reading is worth while. Answer {"rejected":[{"index","reason"}],"missing":[],"another":true or false,"remark":"what is missing, in one clause, or empty"}.',
  compare:
    'Find quotes that say the same as an earlier quote of another topic. Answer {"repeats":[{"index","of"}]} with their places in `quotes`, from 0.',
  write:
    'You write for engineers, plainly and briefly, only what the quotes support. For part "section": one paragraph that introduces the quotes. For part "summary": one line for each of `findings` in Markdown, beginning with its title in bold, citing as `path:line`. Answer {"paragraphs":["…"]}.',
};

/** @throws UsageError when there is no key or the SDK is not installed. */
export async function geminiModel({ apiKey, model = defaultModel, load = loadSdk }: GeminiOptions): Promise<LanguageModel> {
  if (apiKey === undefined || apiKey === '') {
    throw new UsageError(
      'STATEWARDEN_LLM=gemini needs a key',
      'Set GEMINI_API_KEY or GOOGLE_API_KEY, or leave STATEWARDEN_LLM out for the local model.',
    );
  }
  const { GoogleGenAI } = await load();
  const client = new GoogleGenAI({ apiKey });
  return {
    name: model,
    answer: async (task, prompt, { signal }) => {
      const contents = `${instructions[task]}\n\n${JSON.stringify(shown(task, prompt))}`;
      const config = { responseMimeType: 'application/json', temperature: 0, abortSignal: signal };
      const response = await client.models.generateContent({ model, contents, config }).catch((error: unknown) => {
        throw refused(error) ? new TerminalError(`Gemini refused the call: ${(error as Error).message}`) : error;
      });
      return understood(task, prompt, response.text ?? '');
    },
  };
}

async function loadSdk(): Promise<GenAi> {
  const name = '@google/genai';
  try {
    return (await import(name)) as GenAi;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError(
      'STATEWARDEN_LLM=gemini needs the package @google/genai',
      'npm install @google/genai, or leave STATEWARDEN_LLM out for the local model.',
    );
  }
}

/** Wrong key, wrong request: trying again cannot help. Limits (429), timeouts (408) and the server's own errors pass. */
function refused(error: unknown): boolean {
  const status = (error as { status?: unknown }).status;
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** The prompt as the model sees it: documents with line numbers, and only their beginnings for planning. */
function shown<T extends TaskName>(task: T, prompt: Tasks[T]['prompt']): unknown {
  if (task === 'plan') {
    const { documents, ...rest } = prompt as Tasks['plan']['prompt'];
    return { ...rest, documents: documents.map(({ path, lines }) => ({ path, opening: lines.slice(0, 40).join('\n').slice(0, 1_500) })) };
  }
  if (task === 'read') {
    const { document, ...rest } = prompt as Tasks['read']['prompt'];
    return { ...rest, path: document.path, lines: numbered(document) };
  }
  return prompt;
}

function numbered({ lines }: Document): string {
  return lines.map((line, index) => `${String(index + 1)}: ${line}`).join('\n');
}

/** The answer in the task's shape. @throws Error, which is tried again, when it has another. */
function understood<T extends TaskName>(task: T, prompt: Tasks[T]['prompt'], text: string): Tasks[T]['answer'] {
  let answer: Readonly<Record<string, unknown>>;
  try {
    answer = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new Error(`Gemini answered ${task} with something that is not JSON`, { cause });
  }
  const list = (name: string, fields: Readonly<Record<string, 'string' | 'number' | 'strings'>> | 'string' | 'number'): never[] => {
    const items = answer?.[name];
    if (!Array.isArray(items)) throw new Error(`Gemini answered ${task} without "${name}"`);
    for (const item of items as unknown[]) {
      const fits =
        typeof fields === 'string'
          ? typeof item === fields
          : Object.entries(fields).every(([field, kind]) => {
              const value = (item as Record<string, unknown> | null)?.[field];
              return kind === 'strings' ? Array.isArray(value) && value.every((one) => typeof one === 'string') : typeof value === kind;
            });
      if (!fits) throw new Error(`Gemini answered ${task} with a wrong "${name}"`);
    }
    return items as never[];
  };
  const answers: { readonly [K in TaskName]: () => Tasks[K]['answer'] } = {
    plan: () => ({ topics: list('topics', { title: 'string', question: 'string', subject: 'strings', companions: 'strings' }) }),
    read: () => {
      const { document } = prompt as Tasks['read']['prompt'];
      const quotes: Tasks['read']['answer']['quotes'] = list('quotes', {
        text: 'string',
        firstLine: 'number',
        lastLine: 'number',
        score: 'number',
        heading: 'string',
      });
      return { quotes: quotes.map((quote) => ({ ...quote, path: document.path })), considered: document.lines.length };
    },
    score: () => ({ order: list('order', 'number') }),
    critique: () => ({
      rejected: list('rejected', { index: 'number', reason: 'string' }),
      missing: list('missing', 'string'),
      another: answer['another'] === true,
      remark: typeof answer['remark'] === 'string' ? answer['remark'] : '',
    }),
    compare: () => ({ repeats: list('repeats', { index: 'number', of: 'number' }) }),
    write: () => ({ paragraphs: list('paragraphs', 'string') }),
  };
  return answers[task]();
}
