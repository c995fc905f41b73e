// A partition's operators with a sink that takes nothing, for what measures state alone.
import { partitionOperator, type PartitionOperator } from '../../operators/partition/partition.ts'
import { defaultSettings } from '../../operators/settings.ts'

const ignore = () => {}

export const benchOperator = (partition: number, partitionCount: number): PartitionOperator =>
  partitionOperator({
    settings: defaultSettings,
    partition,
    partitionCount,
    operators: 'all',
    resolve: () => 'unknown_schema',
    sink: { accepted: ignore, rejectedEvent: ignore, rejectedRecord: ignore, features: ignore, tierChanged: ignore },
  })
