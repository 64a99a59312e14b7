/** A Patroni node's addresses on loopback. */
interface PatroniNode {
  readonly name: string;
  readonly restPort: number;
  readonly pgPort: number;
}

/** A two-node cluster to look at, real or scripted. */
export interface Patroni {
  /** For people: what it is, with versions. */
  readonly what: string;
  /** The primary comes first. */
  readonly nodes: readonly [primary: PatroniNode, replica: PatroniNode];
  /** The primary's REST API accepts connections and says nothing from now on. */
  freeze(): void;
  /** It goes on, with the requests that wait. */
  thaw(): void;
  close(): Promise<void>;
}
