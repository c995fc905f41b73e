// What is done with a partition's records, apart from how it is done once: the owner, blocks, parts, tokens, checkpoints and restores
// are the same for every input topic (partition-run.ts); decoding, validity, duplicates and rows are its own.
import type { PartitionOptions } from '../../../operators/partition/partition.ts'
import type { KeptState } from '../../../operators/partition/kept-state.ts'
import type { OperatorSettings } from '../../../operators/settings.ts'
import type { BlockSamples } from './block-facts.ts'
import type { BlockRows, PartLimits } from './block-rows.ts'
import type { OutboxMessage } from './outbox.ts'

/** The rows of a block under way, and the messages for other topics that its records made. */
export type OpenBlock = {
  /** What was accepted. */
  readonly events: BlockRows
  readonly rejected: BlockRows
  /** In the order of their inserts; the last one only after all others are acknowledged. */
  readonly all: readonly BlockRows[]
  /** For whoever measures. */
  readonly samples: BlockSamples
  outbox: OutboxMessage[]
}

export type PartitionWork = {
  /** Applies one record; the items that it adds to the block (schemas/limits.ts). */
  apply(
    offset: number,
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: Readonly<Record<string, Uint8Array>> | undefined,
  ): number
  /** Clock after the last record, ms; −Infinity before the first. */
  clock(): number
  /** Does what a tick of that clock would. */
  tick(to: number): void
  readonly counters: { readonly records: number; readonly events: number; readonly duplicates: number }
  /** Users, or whatever else the keys are. */
  keys(): number
  /** Lowest rung first; empty where there are no tiers. */
  readonly usersByTier: ArrayLike<number>
  readonly kept: KeptState
  /** Makes the tables of a block. */
  tables(limits?: PartLimits): OpenBlock
  /** Rows and messages go into this block from now on: one that `tables` made. */
  open(block: OpenBlock): void
  /** Adds the rows that come of the block as a whole. */
  closeBlock(nextOffset: number): void
}

export type WorkMaker = (of: {
  settings: OperatorSettings
  partition: number
  partitionCount: number
  resolve: PartitionOptions['resolve']
}) => PartitionWork
