/**
 * Notes: a few words that nodes, and people at the command line, leave for one another. They are unfenced and no agent's state: whoever reads one knows only what
 * its author last said. Topics and authors are well-formed Unicode without NUL (some libraries cut a text there), in order of code points.
 */

/** A few words that a node, or a person, leaves for the others. Unfenced: the last one of an author on a topic counts. */
export interface NoteRecord {
  readonly topic: string;
  readonly author: string;
  /** Encoded. */
  readonly data: string;
  /** As its author says: it does not decide which of two is the later one. */
  readonly at: number;
}

/** Which note to take away. */
export interface NoteName {
  readonly topic: string;
  readonly author: string;
  /** Only when it is still the one with that `at`, so that a newer one is never lost. */
  readonly ifAt?: number;
}
