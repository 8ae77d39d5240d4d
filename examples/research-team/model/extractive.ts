/**
 * The language model that needs no key and no network: it reads, weighs and quotes, and never invents a word. The same prompt always
 * has the same answer, which is what lets a report made with crashes be compared byte for byte with one made without.
 */

import { compare, critique } from './extractive/critique.js';
import { plan } from './extractive/plan.js';
import { read, score } from './extractive/read.js';
import { write } from './extractive/write.js';
import type { LanguageModel, TaskName, Tasks } from './language-model.js';

const answers: { readonly [T in TaskName]: (prompt: Tasks[T]['prompt']) => Tasks[T]['answer'] } = {
  plan,
  read,
  score,
  critique,
  compare,
  write,
};

export function extractiveModel(): LanguageModel {
  return {
    name: 'extractive (local)',
    answer: async (task, prompt) => answers[task](prompt),
  };
}
