/** What may be sent to an agent, and its text. */

import type { EventObject } from 'xstate';
import { encode } from '../core/codec.js';
import { BadEventError, EventTooLargeError } from '../core/errors.js';

/** @throws BadEventError */
export function checkEvent(event: unknown): EventObject {
  const hint = "Send an object with a string type: { type: 'START' }.";
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    const what = event === null ? 'null' : Array.isArray(event) ? 'an array' : typeof event;
    throw new BadEventError(`an event must be an object, not ${what}`, { hint });
  }
  const { type } = event as { type?: unknown };
  if (typeof type !== 'string' || type === '') {
    throw new BadEventError(`an event needs a string type, not ${JSON.stringify(type) ?? 'undefined'}`, { hint });
  }
  if (type === '*' || type.startsWith('xstate.') || type.startsWith('statewarden.')) {
    throw new BadEventError(`the event type "${type}" is reserved`, { hint: 'Use a type of your own.' });
  }
  return event as EventObject;
}

/** The event's text, of at most `limitBytes` in UTF-8. @throws BadEventError, NotSerializableError, EventTooLargeError */
export function encodeEvent(event: unknown, limitBytes: number): string {
  const { type } = checkEvent(event);
  const text = encode(event, 'event');
  // A UTF-16 unit takes three bytes at most: short texts need no counting.
  if (text.length > limitBytes || (text.length * 3 > limitBytes && Buffer.byteLength(text) > limitBytes)) {
    throw new EventTooLargeError(`the event "${type}" takes ${String(Buffer.byteLength(text))} bytes, more than ${String(limitBytes)}`, {
      hint: 'Keep the value elsewhere and send a reference, or raise limits.eventBytes.',
    });
  }
  return text;
}
