// For tests: the blocks that the naive twins make of a nasty log.
import { naiveDecode } from '../../operators/naive/decode.ts'
import { naivePartition, type NaiveBlock } from '../../operators/naive/partition.ts'
import { samplePartitionLog, type PartitionLog } from '../../operators/testing/generate.ts'

export function nastyBlocks(seed: number, steps: number): { log: PartitionLog; blocks: NaiveBlock[] } {
  const log = samplePartitionLog(seed, steps)
  const { partition, partitionCount } = log
  const limits = { blockEvents: 40, blockBytes: 2 ** 26, partRows: 100_000, partBytes: 2 ** 26 }
  const firstOffset = log.records[0]?.offset ?? 0
  const naive = naivePartition(log.settings, { partition, partitionCount, logId: 'log', limits, firstOffset, decode: naiveDecode })
  return { log, blocks: log.records.flatMap((record) => naive.record(record) ?? []) }
}
