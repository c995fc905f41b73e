// What the operators say of candidates by the present rules and schemas: the process role's own partition operator judges
// them, on an empty state of its own, so that there is one set of rules.
import { currentHeader, flushReader, OK, stringLength, stringStart } from '../../operators/flush/reader.ts'
import { partitionOf } from '../../operators/hash.ts'
import { partitionOperator, type PartitionOptions, type PartitionSink } from '../../operators/partition/partition.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import type { RejectReason } from '../../schemas/rejects.ts'
import type { Candidate } from './sources.ts'

export type JudgedEvent = {
  ordinal: number
  /** Event id, 32 hex digits. */
  id: string
}

export type Judged = {
  candidate: Candidate
  key: Uint8Array
  /** Where the key belongs, and the timestamp with which the record is appended there. */
  partition: number
  timestampMs: number
  /** Of the flush, wanted or not; 0 where it could not be read. */
  flushEvents: number
  /** Of the wanted ones. */
  accepted: JudgedEvent[]
  /** A reason for each wanted event that would be rejected again, or one for the whole record. */
  rejected: RejectReason[]
  /** Wanted events that stand earlier among the candidates too. */
  repeated: number
}

export type JudgeOptions = {
  settings: OperatorSettings
  resolve: PartitionOptions['resolve']
  /** By partition; −Infinity where it has none. */
  clocks: readonly number[]
}

/** In the order in which they are to be appended. */
export function judgeCandidates(candidates: readonly Candidate[], { settings, resolve, clocks }: JudgeOptions): Judged[] {
  const judged = placed(candidates, clocks, (value) => userOf(value, resolve))
  let current: Judged
  const wants = (ordinal: number) => current.candidate.ordinals?.has(ordinal) !== false
  const sink: PartitionSink = {
    accepted(_record, flush, i) {
      if (!wants(i)) return
      const at = flush.eventId[i]!
      current.accepted.push({ ordinal: i, id: Buffer.from(flush.bytes.subarray(at, at + 16)).toString('hex') })
    },
    rejectedEvent(_record, _flush, i, reason) {
      if (wants(i)) current.rejected.push(reason)
    },
    rejectedRecord(_record, reason) {
      current.rejected.push(reason)
      isWhole = true
    },
    features() {},
    tierChanged() {},
  }
  let isWhole = false
  // One partition: every key belongs to it.
  const operator = partitionOperator({
    settings: { ...settings, decayRows: false },
    partition: 0,
    partitionCount: 1,
    operators: 'all',
    sink,
    resolve,
  })
  const encoder = new TextEncoder()
  judged.forEach((one, i) => {
    current = one
    isWhole = false
    const { candidate, key, timestampMs } = one
    const items = operator.apply(i, timestampMs, key, candidate.value, { received_at: encoder.encode(String(candidate.arrivedAt)) })
    if (isWhole) return
    one.flushEvents = items
    let wanted = items
    if (candidate.ordinals !== undefined) wanted = [...candidate.ordinals].filter((ordinal) => ordinal < items).length
    one.repeated = wanted - one.accepted.length - one.rejected.length
  })
  return judged
}

const nobody = new Uint8Array(0)

/** Where each belongs, and when, in the order in which they are to be appended; nothing is judged yet. `named`: whom a value names, if it has no key. */
export function placed(
  candidates: readonly Candidate[],
  clocks: readonly number[],
  named: (value: Uint8Array) => Uint8Array | undefined,
): Judged[] {
  return (
    candidates
      .map((candidate): Judged => {
        const key = candidate.key ?? named(candidate.value) ?? nobody
        const partition = partitionOf(key, clocks.length)
        // No earlier than it arrived, or its events' times would be another; else the present clock, which stays where it is.
        const timestampMs = Math.max(clocks[partition]!, candidate.arrivedAt, 0)
        return { candidate, key, partition, timestampMs, flushEvents: 0, accepted: [], rejected: [], repeated: 0 }
      })
      // The clock of the one operator rises with them.
      .toSorted((a, b) => a.timestampMs - b.timestampMs)
  )
}

const reader = flushReader()

/** The user that a flush names; undefined where it cannot be read. */
function userOf(value: Uint8Array, resolve: PartitionOptions['resolve']): Uint8Array | undefined {
  const flush = inCurrentSchema(value, resolve)
  if (flush === undefined || reader.read(flush) !== OK) return undefined
  const { bytes, user } = reader.columns
  const from = stringStart(bytes, user)
  return bytes.slice(from, from + stringLength(bytes, user))
}

/** A flush's bytes in the current schema; undefined where it is of none that is known. */
export function inCurrentSchema(value: Uint8Array, resolve: PartitionOptions['resolve']): Uint8Array | undefined {
  if (currentHeader.every((byte, i) => value[i] === byte)) return value
  const resolved = resolve(value)
  return typeof resolved === 'string' ? undefined : resolved
}
