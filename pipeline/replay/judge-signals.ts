// What the rules say of rejected signals now: the process role's own operator judges them, on an empty state of its own.
import { signalOperator } from '../../operators/signals/partition.ts'
import { readSignal } from '../../operators/signals/reader.ts'
import { placed, type Judged, type JudgeOptions } from './judge.ts'
import type { Candidate } from './sources.ts'

/** In the order in which they are to be appended. A signal is a record, so each has one event, at place 0. */
export function judgeSignals(candidates: readonly Candidate[], { settings, resolve, clocks }: JudgeOptions): Judged[] {
  const judged = placed(candidates, clocks, (value) => keyOf(value, resolve))
  let current: Judged
  const operator = signalOperator({
    settings,
    partition: 0,
    partitionCount: 1,
    resolve,
    sink: {
      accepted(_record, value, { signalId }) {
        current.accepted.push({ ordinal: 0, id: Buffer.from(value.subarray(signalId, signalId + 16)).toString('hex') })
      },
      rejectedSignal(_record, _value, _signal, reason) {
        current.rejected.push(reason)
      },
      rejectedRecord(_record, reason) {
        current.rejected.push(reason)
      },
    },
  })
  const encoder = new TextEncoder()
  judged.forEach((one, i) => {
    current = one
    one.flushEvents = 1
    const { candidate, key, timestampMs } = one
    operator.apply(i, timestampMs, key, candidate.value, { received_at: encoder.encode(String(candidate.arrivedAt)) })
    // Neither accepted nor rejected: it came before, among these.
    one.repeated = 1 - one.accepted.length - one.rejected.length
  })
  return judged
}

/** The user that a signal names, else its channel; undefined where it cannot be read. */
function keyOf(value: Uint8Array, resolve: JudgeOptions['resolve']): Uint8Array | undefined {
  const written = readSignal(value).kind === 'other_schema' ? resolve(value) : value
  if (typeof written === 'string') return undefined
  const outcome = readSignal(written)
  if (outcome.kind !== 'signal') return undefined
  const named = outcome.signal.userId ?? outcome.signal.channel
  return named === null ? undefined : written.slice(named.from, named.from + named.length)
}
