// For tests: a partition's log through the operators and rows as the role runs them, block by block, without log or store;
// cut into any read batches, with checkpoints and new owners wherever a test wants them.
import { controlOf } from '../../../operators/partition/headers.ts'
import { takeNewIds } from '../../../operators/partition/state.ts'
import { operatorVersion, type OperatorSettings } from '../../../operators/settings.ts'
import { recordBatch, type LogRecord } from '../../../operators/testing/generate.ts'
import type { OutRecord } from '../../ports/log.ts'
import { blockCutter } from './block.ts'
import type { OutboxMessage } from './outbox.ts'
import { checkpointWriter } from './checkpoint.ts'
import { restorer } from './restore.ts'
import { behaviorWork } from './behavior-work.ts'
import type { WorkMaker } from './work.ts'

export type Log = { settings: OperatorSettings; partition: number; partitionCount: number; records: readonly LogRecord[] }
export type Limits = { blockEvents: number; blockBytes: number; partRows: number; partBytes: number }

export const smallBlocks: Limits = { blockEvents: 25, blockBytes: 20_000, partRows: 7, partBytes: 1e9 }

/** A block as the role inserts it: each table's parts, as bytes. */
export type FastBlock = {
  firstOffset: number
  nextOffset: number
  blockAt: number
  parts: Record<string, Buffer[]>
  outbox: OutboxMessage[]
}

export type FastOptions = {
  limits?: Limits
  /** After which blocks (counted from 0) a checkpoint is made. */
  checkpointAfter?: (block: number) => boolean
  /** After which checkpoints a new owner goes on from the changelog. */
  restartAfter?: (block: number) => boolean
  /** After which checkpoints the changelog is compacted: of each key only the latest record stays. */
  compactAfter?: (block: number) => boolean
  /** A changelog to go on from, after its checkpoint. */
  changelog?: readonly OutRecord[]
  /** Default: behaviour. */
  work?: WorkMaker
  /** Records in a read batch. All of a batch's bytes lie in one buffer, which the next batch overwrites. */
  batchRecords?: (batch: number) => number
}

export function fastBlocks(log: Log, options: FastOptions = {}): FastBlock[] {
  const { settings, partition, partitionCount } = log
  const limits = options.limits ?? smallBlocks
  const begin = () => (options.work ?? behaviorWork)({ settings, partition, partitionCount, resolve: () => 'unknown_schema' })
  const restored = (changelog: readonly OutRecord[]) => {
    const work = begin()
    const into = restorer(work.kept)
    for (const batch of batchesOf(changelog)) into.take(batch)
    const { idKeys, checkpoint } = into.done()
    return { work, checkpoint, checkpointOf: checkpointWriter(work.kept, idKeys) }
  }
  let changelog: OutRecord[] = [...(options.changelog ?? [])]
  let owner = restored(changelog)
  const blocks: FastBlock[] = []
  const tables = owner.work.tables({ rows: limits.partRows, bytes: limits.partBytes })
  const cutter = blockCutter({ events: limits.blockEvents, bytes: limits.blockBytes })
  let nextOffset = owner.checkpoint?.nextOffset ?? log.records[0]?.offset ?? 0
  const records = log.records.filter(({ offset }) => offset >= nextOffset)

  const beginBlock = () => {
    cutter.begin(nextOffset)
    for (const table of tables.all) table.reset(partition, nextOffset)
    tables.outbox = []
    owner.work.open(tables)
  }
  const endBlock = () => {
    owner.work.closeBlock(nextOffset)
    const blockAt = owner.work.clock()
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
    const { work, checkpointOf } = owner
    changelog.push(...checkpointOf({ nextOffset, clock: work.clock(), operatorVersion, partitionCount, settings, clean: false }))
    if (options.compactAfter?.(blocks.length - 1) === true) changelog = compacted(changelog)
  }
  const restart = () => {
    const before = told(owner.work.usersByTier)
    owner = restored(changelog)
    if (told(owner.work.usersByTier) !== before)
      throw new Error(`users by rung: ${before} before a restart, ${told(owner.work.usersByTier)} after it`)
    // What was restored is in the changelog already.
    const { kept } = owner.work
    if (kept.changed().length > 0 || takeNewIds(kept).length > 0 || kept.newMarks() > 0)
      throw new Error('a restored owner has something to write')
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
      const items = owner.work.apply(record.offset, record.timestampMs, record.key, record.value, record.headers)
      nextOffset = record.offset + 1
      const control = controlOf(record.key, record.value, record.headers) !== undefined
      if (cutter.add(items, record.value?.length ?? 0, control)) endBlock()
    }
  }
  return blocks
}

const told = (counts: ArrayLike<number>) => Array.from(counts).join(',')

/** A changelog as its reader delivers it: borrowed bytes, which are gone once the next batch is asked for. */
function* batchesOf(changelog: readonly OutRecord[]) {
  for (let from = 0; from < changelog.length; from += 7) {
    const copies: Uint8Array[] = []
    const copy = (bytes: Uint8Array | null) => {
      if (bytes === null) return null
      copies.push(bytes.slice())
      return copies.at(-1)!
    }
    const records = changelog.slice(from, from + 7)
    yield recordBatch(
      0,
      records.map(({ key, value }, i) => ({ offset: from + i, timestampMs: 0, key: copy(key), value: copy(value), headers: undefined })),
    )
    for (const bytes of copies) bytes.fill(0xee)
  }
}

function compacted(changelog: readonly OutRecord[]): OutRecord[] {
  const latest = new Map(changelog.map((record, i) => [Buffer.from(record.key!).toString('latin1'), i]))
  return changelog.filter((record, i) => latest.get(Buffer.from(record.key!).toString('latin1')) === i)
}
