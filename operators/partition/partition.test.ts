import fc from 'fast-check'
import { expect, test } from 'vitest'
import { featureNames } from '../../schemas/measures.ts'
import { protocolLimits } from '../naive/blocks.ts'
import { naiveDecode } from '../naive/decode.ts'
import { naivePartition } from '../naive/partition.ts'
import { partitionLogs, type PartitionLog } from '../testing/generate.ts'
import { partitionOperator } from './partition.ts'

/** What the benchmark runs: nothing but decoding, validation, duplicates, windows and emission. */
function rollingOnly({ settings, partition, partitionCount, records }: PartitionLog) {
  const rows: unknown[] = []
  const rejected: unknown[] = []
  const operator = partitionOperator({
    settings,
    partition,
    partitionCount,
    operators: 'rolling',
    resolve: () => 'unknown_schema',
    sink: {
      accepted: () => expect.unreachable('the rest of the operators is off'),
      tierChanged: () => expect.unreachable('the rest of the operators is off'),
      rejectedEvent: ({ offset }, _, ordinal, reason) => rejected.push([offset, ordinal, reason]),
      rejectedRecord: ({ offset }, reason) => rejected.push([offset, null, reason]),
      features: (slot, asOf) =>
        rows.push([new TextDecoder('utf-8', { ignoreBOM: true }).decode(operator.users.id(slot)), asOf, ...operator.windows.sums(slot)]),
    },
  })
  for (const { offset, timestampMs, key, value, headers } of records) operator.apply(offset, timestampMs, key, value, headers)
  return { rows, rejected, counters: operator.counters }
}

test('windows and emission alone give the sums and instants that they give among all operators', () => {
  fc.assert(
    fc.property(partitionLogs({ maxSteps: 50 }), (log) => {
      const { partition, partitionCount, settings, records } = log
      const twin = naivePartition(settings, { partition, partitionCount, logId: 'log', limits: protocolLimits, decode: naiveDecode })
      const blocks = records.flatMap((record) => twin.record(record) ?? [])
      const { rows, rejected, counters } = rollingOnly(log)
      expect(rows).toEqual(
        blocks.flatMap((block) => block.features.map((row) => [row.user_id, row.as_of, ...featureNames.map((name) => row[name])])),
      )
      expect(rejected).toEqual(blocks.flatMap((block) => block.rejected.map((row) => [row.offset, row.ordinal, row.reason])))
      const sum = (of: (block: (typeof blocks)[number]) => number) => blocks.reduce((total, block) => total + of(block), 0)
      expect(counters).toMatchObject({
        records: records.length,
        events: sum((block) => block.events.length),
        duplicates: sum((block) => block.duplicates),
        emptyFlushes: sum((block) => block.emptyFlushes),
        rows: rows.length,
      })
    }),
    { numRuns: 100 },
  )
})
