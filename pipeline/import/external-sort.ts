// Sorts more rows than memory holds: sorted runs on disk, merged. By time, then by line: the order of a file never varies.
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export type SortRow = { readonly atMs: number; readonly line: number; readonly raw: Buffer }

export type SortOptions = {
  /** Where runs are spooled; it must exist, and is the caller's to remove. */
  directory: string
  /** Bytes of rows in memory. */
  memoryBytes?: number
  /** Runs merged at once. */
  fanIn?: number
}

export type ExternalSort = {
  add(row: SortRow): void
  /** All rows in order; once. Reads the disk as it goes. */
  sorted(): Generator<SortRow>
  /** For tests: runs that were spooled. */
  runsWritten(): number
}

/** What a row costs besides its bytes. */
const rowOverheadBytes = 200
const frameBytes = 20
const bufferBytes = 256 * 1024

const before = (a: SortRow, b: SortRow) => a.atMs - b.atMs || a.line - b.line

export function externalSort({ directory, memoryBytes = 64_000_000, fanIn = 64 }: SortOptions): ExternalSort {
  let rows: SortRow[] = []
  let bytes = 0
  let runs: string[] = []
  let written = 0

  function spool(sorted: Iterable<SortRow>): string {
    const path = join(directory, `run-${written++}`)
    const file = openSync(path, 'wx', 0o600)
    const buffer = Buffer.allocUnsafe(bufferBytes)
    let used = 0
    const flush = () => {
      writeAll(file, buffer.subarray(0, used))
      used = 0
    }
    try {
      for (const { atMs, line, raw } of sorted) {
        if (used + frameBytes + raw.length > bufferBytes) flush()
        buffer.writeDoubleLE(atMs, used)
        buffer.writeDoubleLE(line, used + 8)
        buffer.writeUInt32LE(raw.length, used + 16)
        used += frameBytes
        if (raw.length > bufferBytes - used) {
          flush()
          writeAll(file, raw)
        } else used += raw.copy(buffer, used)
      }
      flush()
    } finally {
      closeSync(file)
    }
    return path
  }

  return {
    add(row) {
      rows.push(row)
      bytes += row.raw.length + rowOverheadBytes
      if (bytes < memoryBytes) return
      runs.push(spool(rows.toSorted(before)))
      rows = []
      bytes = 0
      if (runs.length === fanIn) runs = [spool(merged(runs.map(readRun)))]
    },
    sorted: () => merged([...runs.map(readRun), rows.toSorted(before).values()]),
    runsWritten: () => written,
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
}

/** The file goes when it has been read. */
function* readRun(path: string): Generator<SortRow> {
  const file = openSync(path, 'r')
  try {
    let buffer = Buffer.alloc(0)
    /** At least so many bytes, or at the end fewer. */
    const fill = (wanted: number) => {
      const larger = Buffer.allocUnsafe(Math.max(wanted, bufferBytes))
      let held = buffer.copy(larger)
      while (held < wanted) {
        const read = readSync(file, larger, held, larger.length - held, null)
        if (read === 0) break
        held += read
      }
      buffer = larger.subarray(0, held)
    }
    for (;;) {
      if (buffer.length < frameBytes) fill(frameBytes)
      if (buffer.length === 0) return
      const length = buffer.readUInt32LE(16)
      if (buffer.length < frameBytes + length) fill(frameBytes + length)
      if (buffer.length < frameBytes + length) throw new Error(`${path} is cut short: the disk it lies on has lost data`)
      // Rows are handed out as parts of a buffer that is not written to again.
      yield { atMs: buffer.readDoubleLE(0), line: buffer.readDoubleLE(8), raw: buffer.subarray(frameBytes, frameBytes + length) }
      buffer = buffer.subarray(frameBytes + length)
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

type Head = { row: SortRow; from: Iterator<SortRow> }

/** A binary heap of the sources' next rows. */
function* merged(sources: readonly Iterator<SortRow>[]): Generator<SortRow> {
  const heap: Head[] = []
  const sink = (head: Head, at: number) => {
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!.row, heap[child]!.row) < 0) child++
      if (before(heap[child]!.row, head.row) >= 0) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = head
  }
  const rise = (head: Head) => {
    let at = heap.length
    heap.push(head)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (before(heap[parent]!.row, head.row) <= 0) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = head
  }
  try {
    for (const from of sources) {
      const next = from.next()
      if (next.done !== true) rise({ row: next.value, from })
    }
    while (heap.length > 0) {
      const head = heap[0]!
      yield head.row
      const next = head.from.next()
      if (next.done !== true) sink({ row: next.value, from: head.from }, 0)
      else {
        const last = heap.pop()!
        if (heap.length > 0) sink(last, 0)
      }
    }
  } finally {
    for (const source of sources) source.return?.()
  }
}
