// Checks of each partition: its last checkpoint, how far it is behind, and its clock.
import { operatorVersion } from '../../operators/settings.ts'
import type { FoundCheckpoint, LogFacts, MachineFacts, PartitionFacts, Place } from './facts.ts'
import { count, findingsOf, instant, onTopic, partitionList, span, type Finding } from './finding.ts'

/** Records in the future by more than this say that a clock is wrong (ms). */
const clockWarningMs = 2_000
const clockProblemMs = 60_000
/** Partitions' clocks further apart than this keep buckets open noticeably longer (ms). */
const apartWarningMs = 10 * 60_000
/** A checkpoint older than so many intervals, and than a minute, is one that nobody makes any more. */
const missedCheckpoints = 6

type Checkpointed = PartitionFacts & { last: FoundCheckpoint }

export function checkPartitions(log: Place<LogFacts>, machine: MachineFacts, nowMs: number): Finding[] {
  if (log.state !== 'found' || log.facts.topics.input === undefined) return []
  const { facts } = log
  const { partitions } = facts
  const isLive = facts.topics.input?.timestamps === 'append'
  const checkpointed = partitions.flatMap((one): Checkpointed[] =>
    'value' in one.checkpoint && one.checkpoint.value !== undefined ? [{ ...one, last: one.checkpoint.value }] : [],
  )
  return [
    ...checkReadable(partitions),
    ...(checkpointed.length === 0
      ? []
      : [
          ...checkStillInLog(checkpointed, partitions.length, facts.names.input),
          ...checkCount(checkpointed, partitions.length, facts.names.input),
          ...checkVersion(checkpointed),
          ...checkLag(checkpointed, isLive, machine.settings.checkpointMs, facts.names.input, nowMs),
          checkAllBegun(partitions, checkpointed),
          checkApart(checkpointed),
        ]),
    ...(isLive ? [checkFuture(partitions, nowMs)] : []),
  ]
}

function checkReadable(partitions: readonly PartitionFacts[]): Finding[] {
  const say = findingsOf('partitions', 'checkpoint', 'an owner goes on from it')
  const unread = partitions.flatMap(({ partition, checkpoint }) =>
    'unknown' in checkpoint ? [say.unchecked(`cannot be read: ${checkpoint.unknown}`, `partition ${partition}`)] : [],
  )
  const none = partitions.every(({ checkpoint }) => 'value' in checkpoint && checkpoint.value === undefined)
  return none ? [say.ok('none yet: nothing has been processed')] : unread
}

function checkStillInLog(partitions: readonly Checkpointed[], all: number, topic: string): Finding[] {
  const say = findingsOf('partitions', 'records to go on from', 'an owner stops where the log has lost them')
  const found = partitions.flatMap(({ partition, begin, end, last }): Finding[] => {
    const name = `partition ${partition}`
    if (last.nextOffset < begin)
      return [
        say.problem(
          `the log begins at ${begin}, the checkpoint goes on at ${last.nextOffset}: ${count(begin - last.nextOffset)} offsets are gone`,
          `bring them back, or go on without them: ${onTopic('skip', topic)}`,
          name,
        ),
      ]
    if (last.nextOffset > end)
      return [
        say.problem(
          `the log ends at ${end}, the checkpoint goes on at ${last.nextOffset}: the topic is not the one that was processed`,
          'correct KAFKA_BROKERS, or process the topic anew with another --group and database (docs/guide/running.md)',
          name,
        ),
      ]
    return []
  })
  return found.length > 0 ? found : [say.ok(`there for ${partitionList(partitions.map(({ partition }) => partition), all)}`)] // prettier-ignore
}

function checkCount(partitions: readonly Checkpointed[], count: number, topic: string): Finding[] {
  const say = findingsOf('partitions', 'partition count', 'it decides which partition has a user')
  const other = partitions.find(({ last }) => last.partitionCount !== count)
  if (other === undefined) return [say.ok(`${count}, as at the last checkpoints`)]
  const found = `the topic has ${count}, and had ${other.last.partitionCount} at the checkpoint of partition ${other.partition}: owners stop`
  return [say.problem(found, onTopic('repartition', topic))]
}

function checkVersion(partitions: readonly Checkpointed[]): Finding[] {
  const say = findingsOf('partitions', 'operator version', 'other versions make other figures of the same log')
  const newer = partitions.filter(({ last }) => last.operatorVersion > operatorVersion)
  const older = partitions.filter(({ last }) => last.operatorVersion < operatorVersion)
  const unclean = older.filter(({ last }) => !last.clean)
  const list = (some: readonly Checkpointed[]) => partitionList(some.map(({ partition }) => partition), partitions.length) // prettier-ignore
  if (newer.length > 0)
    return [
      say.problem(
        `${list(newer)}: version ${newer[0]!.last.operatorVersion} wrote the checkpoint, this program has ${operatorVersion}`,
        'run the newer program',
      ),
    ]
  if (unclean.length > 0)
    return [
      say.warning(
        `${list(unclean)}: version ${unclean[0]!.last.operatorVersion} did not stop cleanly, and version ${operatorVersion} will go on`,
        'start the older version once more and stop it with Ctrl-C, then upgrade',
      ),
    ]
  if (older.length > 0) return [say.ok(`version ${older[0]!.last.operatorVersion} stopped cleanly; ${operatorVersion} may go on`)]
  return [say.ok(`${operatorVersion}, of checkpoints and program`)]
}

function checkLag(partitions: readonly Checkpointed[], isLive: boolean, checkpointMs: number, topic: string, nowMs: number): Finding[] {
  const say = findingsOf('partitions', 'lag', 'figures are as old as it')
  const patienceMs = Math.max(60_000, missedCheckpoints * checkpointMs)
  return partitions.map(({ partition, end, last }) => {
    const name = `partition ${partition}`
    // A transaction's marker takes an offset, and is no record that waits.
    const records = Math.max(0, end - last.nextOffset)
    const ageMs = Math.max(0, nowMs - last.writtenAt)
    const clock = isLive && last.clock > 0 ? `, clock ${span(Math.max(0, nowMs - last.clock))} behind` : ''
    const found = `${count(records)} offsets after the checkpoint at ${last.nextOffset}, made ${span(ageMs)} ago${clock}; ${last.clean ? 'clean' : 'not a clean stop'}`
    if (records > 0 && ageMs > patienceMs)
      return say.warning(
        `${found}: nobody seems to process it`,
        `start ${onTopic('process', topic)}; where one runs, its messages say what holds it up`,
        name,
      )
    return say.ok(found, name)
  })
}

function checkAllBegun(partitions: readonly PartitionFacts[], checkpointed: readonly Checkpointed[]): Finding {
  const say = findingsOf('partitions', 'all begun', 'no KPI bucket closes before every partition has been heard of')
  const silent = partitions.filter(({ checkpoint }) => 'value' in checkpoint && checkpoint.value === undefined)
  if (silent.length === 0) return say.ok(`${checkpointed.length} of ${partitions.length} have a checkpoint`)
  return say.warning(
    `${partitionList(silent.map(({ partition }) => partition), partitions.length)} without a checkpoint`,
    'let reelpulse process run for a minute; where one runs, its messages say why it does not own them',
  ) // prettier-ignore
}

function checkApart(partitions: readonly Checkpointed[]): Finding {
  const say = findingsOf('partitions', 'clocks together', 'a KPI bucket closes when the slowest clock has passed it')
  // One that has seen no record has no clock yet, and JSON says null.
  const sorted = partitions.filter(({ last }) => Number.isFinite(last.clock)).toSorted((a, b) => a.last.clock - b.last.clock)
  const [least, greatest] = [sorted[0], sorted.at(-1)]
  if (least === undefined || greatest === undefined) return say.ok('no partition has a clock yet')
  const apartMs = greatest.last.clock - least.last.clock
  const found = `at most ${span(apartMs)} apart, the slowest at ${instant(least.last.clock)}`
  if (!(apartMs > apartWarningMs)) return say.ok(found)
  return say.warning(
    `partition ${least.partition} is ${span(apartMs)} behind partition ${greatest.partition}: nothing closes after ${instant(least.last.clock)}`,
    'where that one lags, see its lag; in a backfill, append ticks that move its clock',
  )
}

function checkFuture(partitions: readonly PartitionFacts[], nowMs: number): Finding {
  const say = findingsOf('partitions', 'clock of the log', 'time in the log never goes back')
  const newest = partitions.flatMap(({ partition, newestAt }) =>
    'value' in newestAt && newestAt.value !== undefined ? [{ partition, at: newestAt.value }] : [],
  )
  if (newest.length === 0) {
    const why = partitions.find(({ newestAt }) => 'unknown' in newestAt)?.newestAt
    return say.unchecked(why !== undefined && 'unknown' in why ? why.unknown : 'there is no record whose timestamp could be compared')
  }
  const last = newest.reduce((a, b) => (b.at > a.at ? b : a))
  const aheadMs = last.at - nowMs
  if (aheadMs <= clockWarningMs) return say.ok(`the newest record is ${span(Math.max(0, -aheadMs))} old: not ahead of this machine`)
  const found = `the newest record of partition ${last.partition} is ${span(aheadMs)} ahead of this machine`
  const fix = 'set the clocks of the brokers and of this machine by NTP (chronyc tracking)'
  return aheadMs > clockProblemMs ? say.problem(found, fix) : say.warning(found, fix)
}
