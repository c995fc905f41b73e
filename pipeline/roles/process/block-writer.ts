// The block under way and the one before it: while one is filled, the other is being inserted.
import type { Clock } from '../../ports/clock.ts'
import type { Store } from '../../ports/store.ts'
import type { PartLimits } from './block-rows.ts'
import { insertBlock, type BlockName, type PresentParts } from './insert.ts'
import { blockTables, type BlockTables } from './rows.ts'

export type BlockWriterOptions = {
  store: Store
  partition: number
  present: PresentParts
  limits: PartLimits | undefined
  abort: AbortSignal
  clock: Clock
  onRetry(error: Error, attempt: number): void
  onInserted(table: string, rows: number): void
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
}

export function blockWriter({ store, partition, present, limits, abort, ...hooks }: BlockWriterOptions): BlockWriter {
  let open = blockTables(limits)
  let spare = blockTables(limits)
  let inserting: Promise<void> = Promise.resolve()
  let insertError: Error | undefined

  async function acknowledged(): Promise<void> {
    await inserting
    if (insertError !== undefined) throw insertError
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
      inserting = insertBlock(store, full, name, present, abort, hooks).catch((error: unknown) => {
        insertError = error instanceof Error ? error : new Error(String(error))
      })
    },
    acknowledged,
    settled: () => inserting,
  }
}
