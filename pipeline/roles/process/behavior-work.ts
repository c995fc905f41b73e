// Behaviour: flushes in; events, features, tier changes and KPI deltas out.
import { partitionOperator } from '../../../operators/partition/partition.ts'
import { keptState } from '../../../operators/partition/kept-state.ts'
import { blockTables, rowSink, type BlockTables } from './rows.ts'
import type { WorkMaker } from './work.ts'

export const behaviorWork: WorkMaker = ({ settings, partition, partitionCount, resolve }) => {
  const rows = rowSink(partitionCount)
  const operator = partitionOperator({ settings, partition, partitionCount, operators: 'all', sink: rows.sink, resolve })
  rows.bind(operator)
  return {
    apply: operator.apply,
    clock: operator.clock,
    tick: operator.tick,
    counters: operator.counters,
    keys: operator.users.count,
    usersByTier: operator.usersByRung,
    kept: keptState(operator.state),
    tables: blockTables,
    open: (block) => rows.open(block as BlockTables),
    closeBlock: rows.closeBlock,
  }
}
