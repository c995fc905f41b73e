// The block under way and the one before it: while one is filled, the other is being inserted.
import type { Store } from '../../ports/store.ts'
import type { BlockFacts } from './block-facts.ts'
import type { Table } from '../../../schemas/table.ts'
import { insertBlock, isLasting, type BlockName, type InsertHooks } from './insert.ts'
import { partKey, presentParts, type PresentParts } from './present-parts.ts'
import type { OpenBlock } from './work.ts'

export type BlockWriterOptions = InsertHooks & {
  store: Store
  partition: number
  present: PresentParts
  /** Makes the tables of one block. */
  tables: () => OpenBlock
  abort: AbortSignal
  /** A block is in the store, whole. */
  onAcknowledged(facts: BlockFacts): void
}

export type BlockWriter = {
  /** Empties the tables for a block that begins at an offset. */
  begin(firstOffset: number): OpenBlock
  /** Begins to insert the block under way, once the one before is acknowledged. */
  insert(name: BlockName): Promise<void>
  /** Waits for the last block that `insert` was given; its error is this partition's. */
  acknowledged(): Promise<void>
  /**
   * Asks the store whether all that it acknowledged since the last call is there. Throws where something is not: a new owner inserts it again.
   * That is how a server that knew a token without having its part is found out (docs/decisions/lost-acknowledgements.md).
   */
  confirm(): Promise<void>
  /** Waits for the same, whatever became of it. */
  settled(): Promise<void>
  /** What no retry cures is told now, not when the next block ends. */
  throwIfRefused(): void
  /** When the insert that is under way began; undefined: none is. */
  insertingSince(): number | undefined
  /** Rows of the block under way and of the one that is being inserted. */
  bytes(): number
}

export function blockWriter({ store, partition, present, tables, abort, onAcknowledged, ...hooks }: BlockWriterOptions): BlockWriter {
  let open = tables()
  let spare = tables()
  let inserting: Promise<void> = Promise.resolve()
  let insertError: Error | undefined
  let insertingSince: number | undefined
  let unconfirmed: Acknowledged[] = []

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
      const since = hooks.clock.now()
      insertingSince = since
      const parts = full.all.map((rows) => ({ table: rows.table, parts: rows.finish(name.blockAt).length }))
      inserting = insertBlock(store, full, name, present, abort, hooks).then(
        () => {
          insertingSince = undefined
          unconfirmed.push({ name, parts })
          onAcknowledged(factsOf(full, hooks.clock.now() - since))
        },
        (error: unknown) => {
          insertError = error instanceof Error ? error : new Error(String(error))
        },
      )
    },
    acknowledged,
    async confirm() {
      const first = unconfirmed[0]
      if (first === undefined) return
      const since = { partition, fromOffset: first.name.firstOffset, clock: first.name.blockAt }
      const lasting = (table: Table) => isLasting(table, first.name.blockAt, hooks.clock.now())
      const looked = open.all
        .map((rows) => rows.table)
        .filter((table) => lasting(table) && unconfirmed.some((block) => block.parts.some((of) => of.table === table && of.parts > 0)))
      const names = looked.map(({ name }) => name)
      const there = await presentParts(store, names, since, abort, hooks)
      for (const { name, parts } of unconfirmed)
        for (const { table, parts: count } of parts.filter((of) => looked.includes(of.table)))
          for (let part = 0; part < count; part++)
            if (!there.get(table.name)!.has(partKey(name.firstOffset, part)))
              throw new Error(
                `the store acknowledged part ${part} of the block at offset ${name.firstOffset} in ${table.name}, and does not have it`,
              )
      unconfirmed = []
    },
    settled: () => inserting,
    throwIfRefused,
    insertingSince: () => insertingSince,
    bytes: () => bytesOf(open) + (insertingSince === undefined ? 0 : bytesOf(spare)),
  }
}

type Acknowledged = { name: BlockName; parts: { table: Table; parts: number }[] }

const bytesOf = (block: OpenBlock) => block.all.reduce((sum, rows) => sum + rows.bytes(), 0)

const factsOf = (block: OpenBlock, insertMs: number): BlockFacts => ({
  events: block.events.rows(),
  rows: block.all.reduce((sum, rows) => sum + rows.rows(), 0),
  bytes: bytesOf(block),
  eventAts: block.samples.eventAts,
  rejected: block.samples.rejected,
  insertMs,
})
