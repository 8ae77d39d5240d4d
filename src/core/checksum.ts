/** crc32 (ISO 3309, as in zlib) of text, unsigned: what every journal segment and checkpoint carries. */

import { crc32 } from 'node:zlib';

export function checksum(text: string): number {
  return crc32(text);
}
