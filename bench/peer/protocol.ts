import type { PeerSpec } from './peer';

/** What the bench asks of the process in which onnxruntime-node runs: a method of `Peer` with its arguments. */
export interface PeerRequest {
  readonly id: number;
  readonly method: 'open' | 'prefill' | 'decode' | 'logitsBehind' | 'decodeImage' | 'dispose';
  readonly args: readonly unknown[];
}

export interface OpenArguments {
  readonly spec: PeerSpec;
  readonly folder: string;
  /** Folder of bench/peer, with its node_modules. */
  readonly packages: string;
}

export type PeerReply =
  { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };
