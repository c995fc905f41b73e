// Naive twin of the cutting of blocks and parts: by the log and the rows alone.
import type { Field } from '../../schemas/field.ts'
import type { Table } from '../../schemas/table.ts'
import * as limits from '../../schemas/limits.ts'

/** Constants of the protocol, passed in so that tests can cut small. */
export type BlockLimits = {
  readonly blockEvents: number
  readonly blockBytes: number
  readonly partRows: number
  readonly partBytes: number
}

export const protocolLimits: BlockLimits = {
  blockEvents: limits.blockEvents,
  blockBytes: limits.blockBytes,
  partRows: limits.partRows,
  partBytes: limits.partBytes,
}

/** What a record weighs in its block. */
export type Weight = {
  /** Array items of a decodable flush, valid or not; 1 for an undecodable record; 0 for a control record. */
  readonly events: number
  /** Length of the value. */
  readonly bytes: number
  readonly control: boolean
}

/** Does a block end with its last record? `records`: the block's so far. */
export function endsBlock(records: readonly Weight[], limits: BlockLimits): boolean {
  const events = records.reduce((sum, record) => sum + record.events, 0)
  const bytes = records.reduce((sum, record) => sum + record.bytes, 0)
  return records.at(-1)?.control === true || events >= limits.blockEvents || bytes >= limits.blockBytes
}

/** The finished blocks of a run of records, each as [first_offset, next_offset). */
export function naiveBlocks(
  records: readonly (Weight & { offset: number })[],
  limits: BlockLimits,
  firstOffset: number,
): { firstOffset: number; nextOffset: number }[] {
  const blocks: { firstOffset: number; nextOffset: number }[] = []
  let open: Weight[] = []
  for (const record of records) {
    open.push(record)
    if (!endsBlock(open, limits)) continue
    const nextOffset = record.offset + 1
    blocks.push({ firstOffset: blocks.at(-1)?.nextOffset ?? firstOffset, nextOffset })
    open = []
  }
  return blocks
}

/** Runs of rows in order: each ends at `partRows`, or before the row that would bring it past `partBytes`. */
export function naiveParts<R>(rows: readonly R[], bytesOf: (row: R) => number, limits: BlockLimits): R[][] {
  const parts: R[][] = []
  let bytes = 0
  for (const row of rows) {
    const part = parts.at(-1)
    const more = bytesOf(row)
    if (part === undefined || part.length >= limits.partRows || bytes + more > limits.partBytes) {
      parts.push([row])
      bytes = more
    } else {
      part.push(row)
      bytes += more
    }
  }
  return parts
}

export function insertToken(
  block: { logId: string; topic: string; partition: number; firstOffset: number; nextOffset: number },
  table: string,
  part: number,
): string {
  return `${block.logId}/${block.topic}/${block.partition}/${block.firstOffset}-${block.nextOffset}/${table}/${part}`
}

/** Length of a row in RowBinary. */
export function rowBinaryBytes(table: Table, row: Readonly<Record<string, unknown>>): number {
  return Object.entries(table.record.fields).reduce((sum, [name, field]) => sum + fieldBytes(field, row[name]), 0)
}

function fieldBytes({ kind }: Field, value: unknown): number {
  switch (kind.of) {
    case 'string':
      return textBytes(value as string)
    case 'bytes':
      return counted((value as Uint8Array).length)
    case 'uuid':
      return 16
    case 'enumeration':
      return 1
    case 'instant':
    case 'float64':
      return 8
    case 'integer':
      return kind.bits / 8
    case 'map':
      return Object.entries(value as Record<string, string>).reduce(
        (sum, [key, item]) => sum + textBytes(key) + textBytes(item),
        varintBytes(Object.keys(value as object).length),
      )
    case 'list':
      return (value as unknown[]).reduce<number>((sum, item) => sum + fieldBytes(kind.item, item), varintBytes((value as unknown[]).length))
    case 'nullable':
      return value === null ? 1 : 1 + fieldBytes(kind.inner, value)
    case 'record':
      return Object.entries(kind.record.fields).reduce(
        (sum, [name, field]) => sum + fieldBytes(field, (value as Record<string, unknown>)[name]),
        0,
      )
  }
}

const utf8 = new TextEncoder()
const textBytes = (text: string) => counted(utf8.encode(text).length)
const counted = (length: number) => varintBytes(length) + length
const varintBytes = (value: number) => (value < 128 ? 1 : value < 128 ** 2 ? 2 : value < 128 ** 3 ? 3 : value < 128 ** 4 ? 4 : 5)
