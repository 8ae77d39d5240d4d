/**
 * What an answer says of the operation: carried out and the answer to be kept, carried out and not to be kept, or not carried out, so that the
 * next one is forwarded. By RFC 9110 and RFC 6585, 408, 425 and 429 say that the request was not taken up. A 503 says so only with `Retry-After`:
 * proxies answer with a bare 503 also when a connection broke after the request had gone through. Any other 5xx leaves it open.
 */

import { headerOf, type Header } from './answer.js';
import type { DoneReason } from './key-store.js';

export type Verdict =
  { readonly carriedOut: 'no' } | { readonly carriedOut: 'perhaps' | 'yes'; readonly keep: Exclude<DoneReason, 'too-large'> };

/** `notStoredHeader`: with it upstream itself says, by `false`, that it did not carry out the operation. */
export function verdictOf(status: number, headers: readonly Header[], notStoredHeader: string): Verdict {
  if (/^(false|\?0|0|no)$/i.test(headerOf(headers, notStoredHeader)?.trim() ?? '')) return { carriedOut: 'no' };
  if (status === 408 || status === 425 || status === 429) return { carriedOut: 'no' };
  if (status === 503 && headerOf(headers, 'retry-after') !== undefined) return { carriedOut: 'no' };
  const keep = forbidsStoring(headers) ? 'no-store' : 'kept';
  return { carriedOut: status >= 500 ? 'perhaps' : 'yes', keep };
}

/** `Cache-Control: no-store` in any of its lines. */
function forbidsStoring(headers: readonly Header[]): boolean {
  return headers.some(
    ([name, value]) => name.toLowerCase() === 'cache-control' && value.split(',').some((part) => part.trim().toLowerCase() === 'no-store'),
  );
}
