/** What a limiter begins with: when a service is overloaded or failing in part, and when it may have come back. */

import type { ChangeReason } from './contract.js';
import { Limiter, unlimited } from './limiter.js';
import type { Usual } from './tripwire.js';

/** Healthy for so long, and a ramp is over; and a degradation. */
const calmRampMs = 3_000;
const calmDegradedMs = 10_000;
/** Without saying otherwise it counts on so much. */
const unknown: Usual = { callsPerSecond: 0, latencyMs: 0 };
/** A failed question must be so unlikely, if all were as usual, to be taken for an answer. */
const unlikely = 0.1;

/** Overload is met at once, by no more calls than are under way now; what fails for reasons of its own needs no cap. */
export function degradedLimiter(reason: ChangeReason, usual: Usual = unknown, inFlight: number, now: number): Limiter {
  const usualInFlight = (usual.callsPerSecond * usual.latencyMs) / 1_000;
  return new Limiter({
    now,
    rate: unlimited,
    inFlight: reason === 'slow-calls' && usualInFlight > 0 ? Math.max(2, Math.min(inFlight, 3 * usualInFlight)) : unlimited,
    usualRate: usual.callsPerSecond,
    usualLatencyMs: usual.latencyMs,
    hungMs: hungMs(usual),
    calmMs: calmDegradedMs,
    probes: 0,
  });
}

/** One call asks whether there is anybody; where much fails anyway, several do. `expected`: failure rate that is usual. */
export function rampLimiter(usual: Usual = unknown, expected = 0, now: number): Limiter {
  return new Limiter({
    now,
    rate: Math.max(1, usual.callsPerSecond / 4),
    inFlight: 1,
    usualRate: usual.callsPerSecond,
    // How long a call takes while the service is cold is for the first calls to say.
    usualLatencyMs: 0,
    hungMs: hungMs(usual),
    calmMs: calmRampMs,
    probes: expected < unlikely ? 1 : Math.ceil(Math.log(unlikely) / Math.log(Math.min(0.9, expected))),
  });
}

/** All places are taken by calls that do not end: they are given up for lost after so long. */
function hungMs({ latencyMs }: Usual): number {
  return Math.max(60_000, 5 * latencyMs);
}
