// One table's rows of a block, as RowBinary, cut into parts by the protocol's limits. Rows begin with partition,
// first_offset, part and block_at (schemas/tables/block.ts); the last is filled in when the block's end is known.
import { rowBinaryWriter, type RowBinaryWriter } from '../../../schemas/row-binary.ts'
import { partBytes, partRows } from '../../../schemas/limits.ts'
import type { Table } from '../../../schemas/table.ts'

const partAt = 2 + 8 // after partition u16 and first_offset i64
const blockAtAt = partAt + 4

export type PartLimits = { rows: number; bytes: number }
export const protocolPartLimits: PartLimits = { rows: partRows, bytes: partBytes }

/** What a row, and so a part's bytes, begin with. */
export type PartHead = { partition: number; firstOffset: number; part: number }

export function partHead(rows: Uint8Array): PartHead {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength)
  return { partition: view.getUint16(0, true), firstOffset: Number(view.getBigInt64(2, true)), part: view.getUint32(partAt, true) }
}

export type Part = { part: number; rows: number; bytes: Uint8Array }

export type BlockRows = {
  readonly table: Table
  /** Begins a row with the block's fields; the caller writes the others in the table's order, then calls `end`. */
  begin(): RowBinaryWriter
  end(): void
  rows(): number
  bytes(): number
  /** Forgets the rows and begins a block. */
  reset(partition: number, firstOffset: number): void
  /** The parts, their block_at filled in. Borrowed: valid until `reset`. */
  finish(blockAt: number): Part[]
}

export function blockRows(table: Table, limits: PartLimits = protocolPartLimits): BlockRows {
  const out = rowBinaryWriter(64 * 1024)
  // Places beyond 2 GiB too: what timers write in one block has no limit.
  let starts = new Float64Array(1024)
  let rows = 0
  let partition = 0
  let firstOffset = 0
  let cuts: number[] = [0] // first row of each part

  return {
    table,
    begin() {
      if (rows === starts.length) {
        const larger = new Float64Array(rows * 2)
        larger.set(starts)
        starts = larger
      }
      starts[rows] = out.length
      out.u16(partition)
      out.i64(firstOffset)
      out.u32(cuts.length - 1)
      out.i64(0)
      return out
    },
    end() {
      const cut = cuts.at(-1)!
      const start = starts[rows]!
      if (rows > cut && (rows - cut === limits.rows || out.length - starts[cut]! > limits.bytes)) {
        cuts.push(rows)
        out.patchU32(start + partAt, cuts.length - 1)
      }
      rows++
    },
    rows: () => rows,
    bytes: () => out.length,
    reset(ofPartition, atOffset) {
      out.reset()
      rows = 0
      cuts = [0]
      partition = ofPartition
      firstOffset = atOffset
    },
    finish(blockAt) {
      if (rows === 0) return []
      for (let row = 0; row < rows; row++) out.patchI64(starts[row]! + blockAtAt, blockAt)
      return cuts.map((from, part) => {
        const to = cuts[part + 1] ?? rows
        return { part, rows: to - from, bytes: out.buffer.subarray(starts[from], to === rows ? out.length : starts[to]) }
      })
    },
  }
}
