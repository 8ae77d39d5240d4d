/**
 * Who may ask and order. The console listens on the loopback address alone; that keeps other machines out, not other pages of the same browser: so the host's name is checked (against names that are made to point here), the
 * origin (against pages of other origins), and what is ordered needs a token, which a page has from the part of its address that is never sent.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Failure } from './api.js';

export interface Refusal extends Failure {
  readonly status: 401 | 403;
}

const names = ['127.0.0.1', 'localhost', '[::1]'];

/** `host`: of the request. */
export function refuseHost(host: string | undefined): Refusal | undefined {
  const name = host?.replace(/:\d+$/, '').toLowerCase();
  if (name !== undefined && names.includes(name)) return undefined;
  return {
    status: 403,
    code: 'FORBIDDEN_HOST',
    message: `the console is not at ${JSON.stringify(host ?? '')}`,
    hint: 'Open it at 127.0.0.1 or localhost; from another machine through a tunnel: ssh -L 4747:127.0.0.1:4747.',
  };
}

export interface Provenance {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` */
  readonly site: string | undefined;
}

/** `named`: whether the origin has to be said; browsers leave it out of what a page reads from its own. */
export function refuseOrigin({ host, origin, site }: Provenance, named: boolean): Refusal | undefined {
  const isOwn = origin === undefined ? !named : host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`;
  const isNear = site === undefined || site === 'same-origin' || site === 'none';
  if (isOwn && isNear) return undefined;
  return {
    status: 403,
    code: 'FORBIDDEN_ORIGIN',
    message: origin === undefined ? 'it is not said which page asks' : `a page of ${JSON.stringify(origin)} asks`,
    hint: `Only the console's own page may: Origin: http://${host ?? '127.0.0.1'}.`,
  };
}

export class Token {
  readonly #digest: Buffer | undefined;

  /** Undefined: nobody may order anything. */
  constructor(token: string | undefined) {
    this.#digest = token === undefined ? undefined : digestOf(token);
  }

  get isSet(): boolean {
    return this.#digest !== undefined;
  }

  /** `authorization`: the header. */
  refuse(authorization: string | undefined): Refusal | undefined {
    if (this.#digest === undefined) {
      return {
        status: 403,
        code: 'READ_ONLY',
        message: 'this console only reads',
        hint: 'Serve it from the app that runs the agents, with a token: serveConsole(runtime).',
      };
    }
    const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digestOf(given), this.#digest)) return undefined;
    return {
      status: 401,
      code: given === undefined ? 'TOKEN_MISSING' : 'TOKEN_WRONG',
      message: given === undefined ? 'orders need the token' : 'the token is another one',
      hint: 'It is behind #token= in the address that was printed when the console was started.',
    };
  }
}

/** Of one length, whatever was given. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** For the page: scripts and styles from here alone, nothing inline, nothing around it. */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
