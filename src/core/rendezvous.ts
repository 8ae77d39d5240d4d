/** Who of several has a thing, without anybody being asked: rendezvous hashing (Thaler and Ravishankar, 1998). When one comes or goes, only what is its own changes hands. */

/** The one of `places` that has `name`; the same for whoever asks with the same places, in any order. Undefined without places. */
export function homeOf(name: string, places: Iterable<number>): number | undefined {
  const hash = hashOf(name);
  let home: number | undefined;
  let highest = -1;
  for (const place of places) {
    const score = mixed(hash ^ mixed(place));
    if (score > highest || (score === highest && place < (home as number))) {
      home = place;
      highest = score;
    }
  }
  return home;
}

/** FNV-1a of the text's UTF-16 units, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/** The finalizer of MurmurHash3: every bit of the number decides about every bit of the result. */
function mixed(number: number): number {
  let hash = number >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
