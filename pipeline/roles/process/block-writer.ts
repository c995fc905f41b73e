// The block under way and the one before it: while one is filled, the other is being inserted.
import type { Clock } from '../../ports/clock.ts'
import type { Store } from '../../ports/store.ts'
import type { PartLimits } from './block-rows.ts'
import { insertBlock, type BlockName, type InsertHooks, type PresentParts } from './insert.ts'
import { blockTables, type BlockTables } from './rows.ts'

export type BlockWriterOptions = {
  store: Store
  partition: number
  present: PresentParts
  limits: PartLimits | undefined
  abort: AbortSignal
  clock: Clock
  onRetry: InsertHooks['onRetry']
  onInserted: InsertHooks['onInserted']
  /** A block is in the store, whole. */
  onAcknowledged(): void
}

export type BlockWriter = {
  /** Empties the tables for a block that begins at an offset. */
  begin(firstOffset: number): BlockTables
  /** Begins to insert the block under way, once the one before is acknowledged. */
  insert(name: BlockName): Promise<void>
  /** Waits for the last block that `insert` was given; its error is this partition's. */
  acknowledged(): Promise<void>
  /** Waits for the same, whatever became of it. */
  settled(): Promise<void>
  /** What no retry cures is told now, not when the next block ends. */
  throwIfRefused(): void
  /** When the insert that is under way began; undefined: none is. */
  insertingSince(): number | undefined
  /** Rows of the block under way and of the one that is being inserted. */
  bytes(): number
}

export function blockWriter({ store, partition, present, limits, abort, onAcknowledged, ...hooks }: BlockWriterOptions): BlockWriter {
  let open = blockTables(limits)
  let spare = blockTables(limits)
  let inserting: Promise<void> = Promise.resolve()
  let insertError: Error | undefined
  let insertingSince: number | undefined

  function throwIfRefused(): void {
    if (insertError !== undefined) throw insertError
  }
  async function acknowledged(): Promise<void> {
    await inserting
    throwIfRefused()
  }
  return {
    begin(firstOffset) {
      for (const table of open.all) table.reset(partition, firstOffset)
      open.outbox = []
      return open
    },
    async insert(name) {
      await acknowledged()
      const full = open
      open = spare
      spare = full
      insertingSince = hooks.clock.now()
      inserting = insertBlock(store, full, name, present, abort, hooks).then(
        () => {
          insertingSince = undefined
          onAcknowledged()
        },
        (error: unknown) => {
          insertError = error instanceof Error ? error : new Error(String(error))
        },
      )
    },
    acknowledged,
    settled: () => inserting,
    throwIfRefused,
    insertingSince: () => insertingSince,
    bytes: () => bytesOf(open) + (insertingSince === undefined ? 0 : bytesOf(spare)),
  }
}

const bytesOf = (block: BlockTables) => block.all.reduce((sum, rows) => sum + rows.bytes(), 0)
