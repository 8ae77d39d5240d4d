/** A port of the loopback address, and what is said when it cannot be had. */

import type { Server } from 'node:net';
import { BadInputError, PortInUseError } from '../core/errors.js';

export const localHost = '127.0.0.1';
export const defaultPort = 4_747;

/** @throws PortInUseError, BadInputError */
export async function listenLocally<TServer extends Server>(server: TServer, port: number): Promise<TServer> {
  try {
    return await new Promise<TServer>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, localHost, () => {
        server.off('error', reject);
        resolve(server);
      });
    });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const where = `port ${String(port)} of ${localHost}`;
    if (code === 'EADDRINUSE') {
      throw new PortInUseError(`${where} is in use`, {
        cause,
        hint: `Give another: --port ${String(port + 1)}, or 0 for any that is free.`,
      });
    }
    throw new BadInputError(`${where} cannot be listened to: ${message}`, { cause, hint: 'Give another: --port 0 is any that is free.' });
  }
}
