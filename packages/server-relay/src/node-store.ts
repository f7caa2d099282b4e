import type { GroupId, OrgId } from '@keytide/crypto-core';

/** The part of `RelayStore` by which several relays share a database (docs/spec/cluster.md). Node ids have 16 bytes. */
export interface NodeStore {
  /**
   * A number greater than every one that was given before. A look that begins after a moment was drawn sees what was
   * committed before it.
   */
  drawMoment(): Promise<number>;
  /**
   * Holds a node's lease for so long from now on, and says that it has acted on everything before `acked`. Nodes whose
   * lease ran out a day ago are forgotten.
   */
  renewNode(node: NodeRenewal): Promise<void>;
  /** Gives the lease back. */
  leaveNodes(node: Uint8Array): Promise<void>;
  /** How many other nodes hold a lease and have not acknowledged that moment. */
  countNodesBehind(node: Uint8Array, moment: number): Promise<number>;
  /** The nodes that hold a lease. */
  listNodes(): Promise<readonly RelayNode[]>;

  /** Whether a node has lost its lease within the last ten minutes, and not given it back. */
  hasLostNodes(): Promise<boolean>;

  /** How far membership logs go and how often sessions were ended early, of one moment; unknown organisations are left out. */
  readOrgHeads(orgs: readonly OrgId[]): Promise<ReadonlyMap<OrgId, OrgHead>>;
  /** The newest seq of each of these groups; those without a log are left out. */
  readGroupHeads(groups: readonly GroupPlace[]): Promise<readonly GroupHead[]>;
}

/** A relay of several. */
export interface RelayNode {
  readonly node: Uint8Array;
  /** Its Ed25519 public key, 32 bytes: all nodes of a database have the same. */
  readonly relayKey: Uint8Array;
}

/** A lease as it is renewed. */
export interface NodeRenewal extends RelayNode {
  readonly leaseMs: number;
  readonly acked: number;
}

/** What a node has to know of an organisation before it shows anything to its devices. */
export interface OrgHead {
  /** Of the membership log. */
  readonly logSize: number;
  readonly sessionGeneration: number;
}

/** Where a group's log is. */
export interface GroupPlace {
  readonly org: OrgId;
  readonly group: GroupId;
}

/** How far it goes. */
export interface GroupHead extends GroupPlace {
  readonly headSeq: number;
}
