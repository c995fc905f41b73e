// How far an import has come, as the log itself says: every record of it names the import, its file and its place in the order.
import { decimal } from '../../operators/partition/headers.ts'
import type { Log, RecordHeaders } from '../ports/log.ts'

export type ImportMark = {
  /** Of the last row that is in the partition. */
  ordinal: number
  digest: string
  /** Clock that the record brings. */
  clockMs: number
  /** It is the tick at the end: nothing more comes. */
  ended: boolean
}

export type PartitionProgress = {
  /** This import's last record; undefined: there is none. */
  own: ImportMark | undefined
  /** The partition's clock; -Infinity where it is empty. */
  clockMs: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** `digest`: of the file and of the mapping, as `importDigest` gives it. */
export function importHeaders(name: string, digest: string): (ordinal: number) => RecordHeaders {
  const common = { import: encoder.encode(name), import_digest: encoder.encode(digest) }
  return (ordinal) => ({ ...common, import_row: encoder.encode(String(ordinal)) })
}

/** So much of each as no accident makes equal; short, because every record carries it. */
export const importDigest = (fileDigest: string, mappingDigest: string) => `${fileDigest.slice(0, 24)}.${mappingDigest.slice(0, 16)}`

const firstLook = 4_000

/** By partition. An append ends before the next begins, so what is in a partition is always all that comes before its last record. */
export async function importProgress(log: Log, topic: string, name: string): Promise<PartitionProgress[]> {
  const description = await log.describeTopic(topic)
  const found: PartitionProgress[] = []
  for (const [partition, { begin, end }] of (description?.partitions ?? []).entries()) {
    const progress: PartitionProgress = { own: undefined, clockMs: -Infinity }
    // From the end back, because the process role's ticks may follow, or another import.
    let to = end
    for (let look = firstLook; to > begin && progress.own === undefined; look *= 4) {
      const from = Math.max(begin, to - look)
      await lookIn(log, topic, partition, from, to, name, progress)
      to = from
    }
    found.push(progress)
  }
  return found
}

async function lookIn(log: Log, topic: string, partition: number, from: number, to: number, name: string, progress: PartitionProgress) {
  const reader = await log.read(topic, partition, from)
  try {
    for (let next = from; next < to;) {
      const batch = await reader.next(5_000)
      // Transaction markers at the very end are no records: nothing comes.
      if (batch.count === 0) break
      for (let i = 0; i < batch.count; i++) {
        if (batch.offsets[i]! >= to) break
        const isTick = batch.keys[i] === null && batch.values[i] === null
        const clockAt = isTick ? decimal(batch.headers[i]?.['clock_at']) : NaN
        const clockMs = Number.isNaN(clockAt) ? batch.timestampsMs[i]! : Math.max(clockAt, batch.timestampsMs[i]!)
        progress.clockMs = Math.max(progress.clockMs, clockMs)
        const mark = markOf(batch.headers[i], name)
        if (mark !== undefined) progress.own = { ...mark, clockMs, ended: isTick }
      }
      next = batch.offsets[batch.count - 1]! + 1
    }
  } finally {
    await reader.close()
  }
}

function markOf(headers: RecordHeaders | undefined, name: string): { ordinal: number; digest: string } | undefined {
  const [of, row, digest] = [headers?.['import'], headers?.['import_row'], headers?.['import_digest']]
  if (of === undefined || digest === undefined || decoder.decode(of) !== name) return undefined
  const ordinal = decimal(row)
  return Number.isNaN(ordinal) ? undefined : { ordinal, digest: decoder.decode(digest) }
}
