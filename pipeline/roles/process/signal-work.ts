// Customer signals: one signal a record in; rows of customer_signals and of rejected_events out, and how far the block goes.
import { operatorVersion } from '../../../operators/settings.ts'
import { signalOperator } from '../../../operators/signals/partition.ts'
import type { Stretch } from '../../../operators/signals/reader.ts'
import type { RowBinaryWriter } from '../../../schemas/row-binary.ts'
import { customerSignalsTable } from '../../../schemas/tables/customer-signals.ts'
import { rejectedEventsTable } from '../../../schemas/tables/rejected-events.ts'
import { signalClocksTable } from '../../../schemas/tables/signal-clocks.ts'
import { blockSamples } from './block-facts.ts'
import { blockRows, type BlockRows, type PartLimits } from './block-rows.ts'
import { rejectedRows } from './rejected-rows.ts'
import type { OpenBlock, WorkMaker } from './work.ts'

type SignalBlock = OpenBlock & { readonly clocks: BlockRows }

/** In the order of signalBlockTables. */
export function signalBlock(limits?: PartLimits): SignalBlock {
  const rejected = blockRows(rejectedEventsTable, limits)
  const events = blockRows(customerSignalsTable, limits)
  const clocks = blockRows(signalClocksTable, limits)
  return { rejected, events, clocks, all: [rejected, events, clocks], samples: blockSamples(), outbox: [] }
}

export const signalWork: WorkMaker = ({ settings, partition, partitionCount, resolve }) => {
  let block: SignalBlock
  const rejected = rejectedRows()
  const operator = signalOperator({
    settings,
    partition,
    partitionCount,
    resolve,
    sink: {
      accepted(record, value, signal, t) {
        const out = block.events.begin()
        block.samples.flush(t)
        out.i64(record.offset)
        out.u32(operatorVersion)
        out.i64(record.recordAt)
        out.i64(record.receivedAt)
        out.i64(record.clockAt)
        out.i64(t)
        out.i64(signal.occurredAt)
        out.i64(signal.sentAt)
        out.uuid(value, signal.signalId)
        out.u8(signal.kind)
        optionalText(out, value, signal.userId)
        optionalText(out, value, signal.channel)
        optional(out, signal.score, out.i32)
        optional(out, signal.seconds, out.i32)
        optionalText(out, value, signal.contentId)
        optionalText(out, value, signal.severity)
        optional(out, signal.amountMinor, out.i64)
        optionalText(out, value, signal.currency)
        block.events.end()
      },
      rejectedSignal(record, value, signal, reason) {
        const eventId = { bytes: value, at: signal.signalId }
        rejected(block, { record, ordinal: 0, reason, detail: 'the signal', eventId })
      },
      rejectedRecord(record, reason, detail) {
        rejected(block, { record, ordinal: -1, reason, detail })
      },
    },
  })
  return {
    apply: operator.apply,
    clock: operator.clock,
    tick: operator.tick,
    counters: operator.counters,
    keys: operator.keys.count,
    usersByTier: [],
    kept: operator.kept,
    tables: signalBlock,
    open(to) {
      // One that `tables` made.
      block = to as SignalBlock
    },
    closeBlock(nextOffset) {
      const out = block.clocks.begin()
      out.i64(nextOffset)
      out.u16(partitionCount)
      block.clocks.end()
    },
  }
}

function optionalText(out: RowBinaryWriter, value: Uint8Array, stretch: Stretch | null): void {
  if (stretch === null) return out.u8(1)
  out.u8(0)
  out.bytes(value, stretch.from, stretch.length)
}

function optional(out: RowBinaryWriter, number: number | null, put: (value: number) => void): void {
  if (number === null) return out.u8(1)
  out.u8(0)
  put(number)
}
