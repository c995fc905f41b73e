// What an input topic is: behaviour, or customer signals; and with that its tables, the topics beside it, and what is done with its records.
import { behaviorBatch } from '../../schemas/behavior-batch.ts'
import { customerSignal } from '../../schemas/customer-signal.ts'
import type { Table } from '../../schemas/table.ts'
import { blockTables, signalBlockTables, signalTables, tables } from '../../schemas/tables/catalogue.ts'
import { signalViews } from '../../operators/board-views.ts'
import { views, type View } from '../../operators/views.ts'
import { flushResolver, type FlushResolver } from '../adapters/avro-resolver.ts'
import { changelogOf, isSignalsTopic, rejectedTopicOf, tierChangesTopicOf } from '../config/names.ts'
import { schemaHistory } from '../config/schema-history.ts'
import { behaviorWork } from '../roles/process/behavior-work.ts'
import type { BehaviorNames, PartitionNames } from '../roles/process/partition-options.ts'
import { signalWork } from '../roles/process/signal-work.ts'
import type { WorkMaker } from '../roles/process/work.ts'

export type TopicPlan = {
  readonly names: PartitionNames
  readonly work: WorkMaker
  readonly resolve: FlushResolver
  readonly tables: readonly Table[]
  readonly views: readonly View[]
  /** Those that blocks go to. */
  readonly blockTables: readonly Table[]
}

export function namesOf(topic: string, group: string): BehaviorNames {
  return {
    group,
    changelog: changelogOf(topic, group),
    outbox: { tierChanges: tierChangesTopicOf(topic), rejected: rejectedTopicOf(topic) },
  }
}

export const knownFlushes = () => flushResolver(schemaHistory(behaviorBatch))
export const knownSignals = (): FlushResolver => flushResolver(schemaHistory(customerSignal), customerSignal)

/** Decided by the topic's name alone, so that every process decides alike. */
export function topicPlan(topic: string, group: string): TopicPlan {
  if (!isSignalsTopic(topic))
    return { names: namesOf(topic, group), work: behaviorWork, resolve: knownFlushes(), tables, views, blockTables }
  return {
    names: { group, changelog: changelogOf(topic, group), outbox: { rejected: rejectedTopicOf(topic) } },
    work: signalWork,
    resolve: knownSignals(),
    tables: signalTables,
    views: signalViews,
    blockTables: signalBlockTables,
  }
}
