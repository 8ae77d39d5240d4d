/**
 * What is asked of the layout engine: ELK's, in the process (`elkjs/lib/elk.bundled.js`) or in a worker of the browser. It is passed in, so that
 * nothing here loads it.
 */

export interface ElkPoint {
  readonly x: number;
  readonly y: number;
}

export interface ElkNode {
  readonly id: string;
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
  readonly height?: number;
  readonly layoutOptions?: Readonly<Record<string, string>>;
  readonly children?: readonly ElkNode[];
  readonly edges?: readonly ElkEdge[];
}

export interface ElkEdge {
  readonly id: string;
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly layoutOptions?: Readonly<Record<string, string>>;
  readonly sections?: readonly { readonly startPoint: ElkPoint; readonly endPoint: ElkPoint; readonly bendPoints?: readonly ElkPoint[] }[];
}

export interface Elk {
  /** Takes a graph, and gives it back with places. */
  readonly layout: (graph: ElkNode) => Promise<ElkNode>;
}
