// Sends again what was rejected, or a range of offsets, with the events that count now and are not there yet. How nothing
// comes twice: docs/guide/replay.md.
import type { PartitionOptions } from '../../operators/partition/partition.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import type { RejectReason } from '../../schemas/rejects.ts'
import { isSignalsTopic } from '../config/names.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log, OutRecord, RecordBatch, TopicDescription } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { moveClock } from '../ticks.ts'
import { decide, eventKey, recentKeys } from './decide.ts'
import { judgeSignals } from './judge-signals.ts'
import { judgeCandidates, type Judged } from './judge.ts'
import { knownEvents } from './known-events.ts'
import { clocksWhenProcessed } from './processed.ts'
import { recordsIn, ReplayRefused } from './records-in.ts'
import { fromInput, fromRejected, type Filter, type NotReplayable, type SourceRecord } from './sources.ts'

/** Offsets [from, to) of one partition of the input topic; `to` undefined: up to its end. */
type OffsetRange = { kind: 'range'; partition: number; from: number; to: number | undefined }
export type ReplaySource = { kind: 'rejected'; filter: Filter } | OffsetRange

export type ReplayOptions = {
  log: Log
  store: Store
  topic: string
  names: { changelog: string; rejected: string }
  settings: OperatorSettings
  resolve: PartitionOptions['resolve']
  clock: Clock
  source: ReplaySource
  dryRun: boolean
  /** How long the process role may take to come to the topic's end; undefined: nobody else has the log now. */
  waitMs: number | undefined
  onWaiting?: (lag: string) => void
  onNotReplayable?: (why: NotReplayable, partition: number, offset: number) => void
  onProgress?: (figures: ReplayFigures) => void
  /** Aborted: stops after what is under way. */
  signal: AbortSignal
}

export type ReplayFigures = {
  /** Records of the source that were asked for. */
  records: number
  flushesAppended: number
  eventsAppended: number
  /** Of the flushes, those that bring only some of their events. */
  flushesShortened: number
  eventsAlreadyThere: number
  /** Events that came a second time in the source. */
  eventsRepeated: number
  /** Whole records and single events, by reason. */
  stillRejected: Partial<Record<RejectReason, number>>
  notReplayable: Partial<Record<NotReplayable, number>>
}

export type ReplayOutcome = { state: 'done' | 'stopped'; figures: ReplayFigures }

/** So many of the newest events that were appended are known by heart; older ones the process role itself recognises. */
const keysKept = 200_000
/** Events that others appended longer ago than this the process role may have forgotten (24 hours), so they must be in the table. */
const lookAgainMs = 3_600_000

export async function replay(options: ReplayOptions): Promise<ReplayOutcome> {
  const { log, store, topic, settings, resolve, clock, dryRun, signal, waitMs } = options
  const input = await log.describeTopic(topic)
  if (input === undefined) throw new ReplayRefused(`topic ${topic} does not exist`)
  if (options.source.kind === 'range') rangeIn(input, options.source)
  const isLive = input.timestamps === 'append'
  const isOfSignals = isSignalsTopic(topic)
  const figures: ReplayFigures = {
    records: 0, flushesAppended: 0, eventsAppended: 0, flushesShortened: 0, eventsAlreadyThere: 0, eventsRepeated: 0, stillRejected: {}, notReplayable: {},
  } // prettier-ignore

  let processedAt = 0
  let clocks: number[] = []
  async function processed(): Promise<void> {
    const { onWaiting } = options
    processedAt = clock.now()
    clocks = await clocksWhenProcessed({
      log, topic, settings, clock, signal, changelog: options.names.changelog, waitMs, ...(onWaiting === undefined ? {} : { onWaiting }),
    }) // prettier-ignore
  }
  await processed()
  const appended = recentKeys(keysKept)
  /** Under CreateTime: partitions with rows that are due at the end of an interval to which no other record brings the clock. */
  const unfinished = new Set<number>()
  const intervalOf = (at: number) => Math.floor(at / settings.emitMs)

  async function append(judged: readonly Judged[]): Promise<void> {
    const known = await knownEvents(
      store,
      judged.flatMap(({ key, accepted }) => accepted.map(({ id }) => ({ user: key, id }))),
      isOfSignals ? 'customer_signals' : 'events',
    )
    const records: OutRecord[] = []
    for (const one of judged) {
      for (const reason of one.rejected) figures.stillRejected[reason] = (figures.stillRejected[reason] ?? 0) + 1
      const decision = decide(one, (key) => known.has(key), appended, resolve)
      figures.eventsAppended += decision.events
      figures.eventsAlreadyThere += decision.alreadyThere
      figures.eventsRepeated += decision.repeated
      // A replay that was killed may have appended them, and not have moved the clock.
      const atPresent = (acceptedAt: number | undefined) =>
        acceptedAt !== undefined && intervalOf(acceptedAt) >= intervalOf(clocks[one.partition]!)
      if (one.accepted.some(({ id }) => atPresent(known.get(eventKey(one.key, id))))) unfinished.add(one.partition)
      if (decision.record === undefined) continue
      records.push(decision.record)
      figures.flushesAppended++
      if (decision.events < one.flushEvents) figures.flushesShortened++
      clocks[one.partition] = Math.max(clocks[one.partition]!, one.timestampMs)
      unfinished.add(one.partition)
    }
    if (!dryRun && records.length > 0) await log.append(topic, records)
  }

  let stopped = false
  for await (const batch of batchesOf(options)) {
    if (signal.aborted) {
      stopped = true
      break
    }
    if (waitMs !== undefined && clock.now() - processedAt > lookAgainMs) await processed()
    const candidates = []
    for (const record of batch) {
      if (record.kind === 'passed_over') continue
      figures.records++
      if (record.kind === 'candidate') candidates.push(record.candidate)
      else if (record.kind === 'null_value') figures.stillRejected.null_value = (figures.stillRejected.null_value ?? 0) + 1
      else {
        figures.notReplayable[record.why] = (figures.notReplayable[record.why] ?? 0) + 1
        options.onNotReplayable?.(record.why, record.partition, record.offset)
      }
    }
    // Under LogAppendTime the clock will be the brokers' when the record is appended, which may be long after the last checkpoint.
    const present = isLive ? clocks.map((at) => Math.max(at, clock.now())) : clocks
    if (candidates.length > 0)
      await append((isOfSignals ? judgeSignals : judgeCandidates)(candidates, { settings, resolve, clocks: present }))
    options.onProgress?.(figures)
  }
  if (!isLive && !dryRun)
    for (const partition of unfinished)
      await moveClock(log, topic, (intervalOf(clocks[partition]!) + 1) * settings.emitMs, { partitions: [partition] })
  return { state: stopped ? 'stopped' : 'done', figures }
}

async function* batchesOf({ log, topic, names, source }: ReplayOptions): AsyncGenerator<SourceRecord[]> {
  if (source.kind === 'rejected') {
    const description = await log.describeTopic(names.rejected)
    for (const [partition, { begin, end }] of (description?.partitions ?? []).entries())
      for await (const batch of recordsIn(log, names.rejected, partition, begin, end))
        yield kept(batch).map((record) => fromRejected(record, topic, source.filter))
    return
  }
  const { from, to } = rangeIn((await log.describeTopic(topic))!, source)
  for await (const batch of recordsIn(log, topic, source.partition, from, to)) yield kept(batch).map(fromInput)
}

/** The offsets that were asked for; throws where the topic does not hold them. */
function rangeIn({ topic, partitions }: TopicDescription, { partition, from, to }: OffsetRange): { from: number; to: number } {
  const range = partitions[partition]
  if (range === undefined) throw new ReplayRefused(`topic ${topic} has partitions 0 to ${partitions.length - 1}, no ${partition}`)
  const { begin, end } = range
  if (from < begin || from > end || (to ?? end) > end)
    throw new ReplayRefused(
      `${topic}/${partition} holds the offsets from ${begin} up to, not including, ${end}: choose --from and --to among them`,
    )
  return { from, to: to ?? end }
}

function kept({ partition, count, offsets, timestampsMs, keys, values, headers }: RecordBatch) {
  return Array.from({ length: count }, (_, i) => ({
    partition, offset: offsets[i]!, timestampMs: timestampsMs[i]!, key: keys[i] ?? null, value: values[i] ?? null, headers: headers[i],
  })) // prettier-ignore
}
