/** `statewarden console [STORE]`: the console on an opened store: an observer, which takes no agent and writes nothing. */

import { serveStore } from '../../console/server.js';
import type { ExitCode, Session } from '../session.js';

export interface ConsoleRequest {
  readonly port: number;
  readonly open: (link: string) => void;
  readonly onStop: (stop: () => void) => void;
}

/** @throws PortInUseError */
export async function storeConsole(session: Session, { port, open, onStop }: ConsoleRequest): Promise<ExitCode> {
  const { store, url, artifacts, output, aside } = session;
  const served = await serveStore(store, { port, storeName: url.name, artifacts });
  if (output.json) output.document({ url: served.url, port: served.port, store: url.name, acts: false });
  else output.line(`console  ${served.url}  ${url.name}, read-only`);
  open(served.link);
  await new Promise<void>((stop) => onStop(stop));
  aside.write('\n');
  await served.close();
  return 0;
}
