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

/** Of a row in memory and on disk, besides its bytes: time, line and length; and its place in the order. */
const frameBytes = 20
const bufferBytes = 256 * 1024

const before = (a: SortRow, b: SortRow) => a.atMs - b.atMs || a.line - b.line

export function externalSort({ directory, memoryBytes = 32_000_000, fanIn = 64 }: SortOptions): ExternalSort {
  const rows = rowBuffer()
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
      rows.add(row)
      if (rows.bytes() < memoryBytes) return
      runs.push(spool(rows.sorted()))
      rows.clear()
      if (runs.length === fanIn) runs = [spool(merged(runs.map(readRun)))]
    },
    sorted: () => merged([...runs.map(readRun), rows.sorted()]),
    runsWritten: () => written,
  }
}

/** Rows in two blocks of memory rather than in an object each, which would cost ten times what a short row holds. */
function rowBuffer() {
  let raws = Buffer.allocUnsafe(64 * 1024)
  let used = 0
  let count = 0
  /** By row: time, line, where its bytes end. */
  let facts = new Float64Array(3 * 1024)

  const start = (i: number) => (i === 0 ? 0 : facts[3 * i - 1]!)

  return {
    add({ atMs, line, raw }: SortRow): void {
      if (used + raw.length > raws.length) {
        const larger = Buffer.allocUnsafe(Math.max(2 * raws.length, used + raw.length))
        raws.copy(larger, 0, 0, used)
        raws = larger
      }
      if (3 * (count + 1) > facts.length) {
        const larger = new Float64Array(2 * facts.length)
        larger.set(facts)
        facts = larger
      }
      used += raw.copy(raws, used)
      facts[3 * count] = atMs
      facts[3 * count + 1] = line
      facts[3 * count + 2] = used
      count++
    },
    bytes: () => used + count * (frameBytes + 8),
    clear(): void {
      used = 0
      count = 0
    },
    *sorted(): Generator<SortRow> {
      const order = new Uint32Array(count)
      for (let i = 0; i < count; i++) order[i] = i
      order.sort((a, b) => facts[3 * a]! - facts[3 * b]! || facts[3 * a + 1]! - facts[3 * b + 1]!)
      for (const i of order) yield { atMs: facts[3 * i]!, line: facts[3 * i + 1]!, raw: raws.subarray(start(i), facts[3 * i + 2]) }
    },
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
