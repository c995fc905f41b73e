// For tests: a partition's log through the operators and rows as the role runs them, block by block, without log or store;
// cut into any read batches, with checkpoints and new owners wherever a test wants them.
import { controlOf } from '../../../operators/partition/headers.ts'
import { partitionOperator } from '../../../operators/partition/partition.ts'
import { putIds, takeNewIds, userStateReader, userStateWriter, type IdGeneration } from '../../../operators/partition/state.ts'
import type { OperatorSettings } from '../../../operators/settings.ts'
import type { LogRecord } from '../../../operators/testing/generate.ts'
import { blockCutter } from './block.ts'
import type { OutboxMessage } from './outbox.ts'
import { blockTables, rowSink } from './rows.ts'

export type Log = { settings: OperatorSettings; partition: number; partitionCount: number; records: readonly LogRecord[] }
export type Limits = { blockEvents: number; blockBytes: number; partRows: number; partBytes: number }

export const smallBlocks: Limits = { blockEvents: 25, blockBytes: 20_000, partRows: 7, partBytes: 1e9 }

/** A block as the role inserts it: each table's parts, as bytes. */
export type FastBlock = { firstOffset: number; nextOffset: number; blockAt: number; parts: Record<string, Buffer[]>; outbox: OutboxMessage[] }

/** What a changelog holds at a checkpoint. */
type Changelog = { clock: number; users: Map<string, Uint8Array>; ids: IdGeneration[] }

export type FastOptions = {
  limits?: Limits
  /** After which blocks (counted from 0) a checkpoint is made. */
  checkpointAfter?: (block: number) => boolean
  /** After which checkpoints a new owner goes on from the changelog. */
  restartAfter?: (block: number) => boolean
  /** Records in a read batch. All of a batch's bytes lie in one buffer, which the next batch overwrites. */
  batchRecords?: (batch: number) => number
}

export function fastBlocks(log: Log, options: FastOptions = {}): FastBlock[] {
  const { settings, partition, partitionCount, records } = log
  const limits = options.limits ?? smallBlocks
  const begin = () => {
    const rows = rowSink(partitionCount)
    const operator = partitionOperator({
      settings, partition, partitionCount, operators: 'all', sink: rows.sink, resolve: () => 'unknown_schema',
    }) // prettier-ignore
    rows.bind(operator)
    return { rows, operator, writeUser: userStateWriter(operator.state) }
  }
  let owner = begin()
  const changelog: Changelog = { clock: 0, users: new Map(), ids: [] }
  const blocks: FastBlock[] = []
  const tables = blockTables({ rows: limits.partRows, bytes: limits.partBytes })
  const cutter = blockCutter({ events: limits.blockEvents, bytes: limits.blockBytes })
  let nextOffset = records[0]?.offset ?? 0

  const beginBlock = () => {
    cutter.begin(nextOffset)
    for (const table of tables.all) table.reset(partition, nextOffset)
    tables.outbox = []
    owner.rows.open(tables)
  }
  const endBlock = () => {
    owner.rows.closeBlock(nextOffset)
    const blockAt = owner.operator.clock()
    const parts = Object.fromEntries(
      tables.all.map((rows) => [rows.table.name, rows.finish(blockAt).map((part) => Buffer.from(part.bytes))]),
    )
    blocks.push({ firstOffset: cutter.firstOffset(), nextOffset, blockAt, parts, outbox: tables.outbox })
    const block = blocks.length - 1
    if (options.checkpointAfter?.(block) === true) {
      checkpoint()
      if (options.restartAfter?.(block) === true) restart()
    }
    beginBlock()
  }
  const checkpoint = () => {
    const { operator, writeUser } = owner
    for (const slot of operator.state.changed())
      changelog.users.set(Buffer.from(operator.users.id(slot)).toString('latin1'), writeUser(slot))
    changelog.ids.push(...takeNewIds(operator.state))
    const hour = Math.floor(operator.clock() / 3_600_000)
    changelog.ids = changelog.ids.filter((generation) => hour - generation.hour <= (generation.lasting ? 744 : 24) + 1)
    changelog.clock = operator.clock()
    operator.state.clearChanged()
  }
  const restart = () => {
    const before = String(owner.operator.usersByRung)
    owner = begin()
    const { state } = owner.operator
    state.clock = changelog.clock
    const reader = userStateReader(state)
    for (const [id, value] of changelog.users) reader.put(Buffer.from(id, 'latin1'), value)
    for (const generation of changelog.ids.toSorted((a, b) => a.hour - b.hour)) putIds(state, generation)
    reader.done()
    if (String(owner.operator.usersByRung) !== before)
      throw new Error(`users by rung: ${before} before a restart, ${owner.operator.usersByRung} after it`)
    // What was restored is in the changelog already.
    if (state.changed().length > 0 || takeNewIds(state).length > 0) throw new Error('a restored owner has something to write')
  }

  beginBlock()
  const shared = new Uint8Array(1 << 20)
  for (let from = 0, batch = 0; from < records.length; batch++) {
    const run = records.slice(from, from + (options.batchRecords?.(batch) ?? 5))
    from += run.length
    let at = 0
    const borrow = (bytes: Uint8Array | null) => {
      if (bytes === null || at + bytes.length + 3 > shared.length) return bytes
      shared.set(bytes, at + 3)
      at += bytes.length + 3
      return shared.subarray(at - bytes.length, at)
    }
    shared.fill(0xee)
    for (const record of run.map((record) => ({ ...record, key: borrow(record.key), value: borrow(record.value) }))) {
      const items = owner.operator.apply(record.offset, record.timestampMs, record.key, record.value, record.headers)
      nextOffset = record.offset + 1
      const control = controlOf(record.key, record.value, record.headers) !== undefined
      if (cutter.add(items, record.value?.length ?? 0, control)) endBlock()
    }
  }
  return blocks
}
