// What a simulated run must have left: exactly what its log says, as one owner that never failed would have written it.
import { userFeaturesTable } from '../../schemas/tables/user-features.ts'
import type { OperatorSettings } from '../../operators/settings.ts'
import type { LogRecord } from '../../operators/testing/generate.ts'
import { outboxRecord, type OutboxTopics } from '../roles/process/outbox.ts'
import { fastBlocks, type Limits } from '../roles/process/run-blocks.ts'
import type { WorkMaker } from '../roles/process/work.ts'
import { committedFrom, type LogServer, type StoredPartition } from './log-server.ts'
import type { StoreServer } from './store.ts'

export type Judged = {
  topic: string
  changelog: string
  outbox: OutboxTopics
  settings: OperatorSettings
  work: WorkMaker
  limits: Limits
  /** By partition: what must be processed at least. */
  targets: readonly number[]
  /** Parts of Replacing tables that merging took away, as `table/partition/first_offset/part`. */
  merged: ReadonlySet<string>
}

const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? none).toString()
const none = new Uint8Array(0)
const isReplacing = (part: string) => part.startsWith(`${userFeaturesTable.name}/`)

/** What is wrong, in words; none where all is right. */
export function findings(log: LogServer, store: StoreServer, judged: Judged): string[] {
  const found: string[] = []
  const wantedParts = new Map<string, Uint8Array>()
  const wantedMessages = new Map<string, Uint8Array>()
  const { topic, settings, limits, work } = judged

  judged.targets.forEach((target, partition) => {
    const { logId, nextOffset } = lastCheckpoint(log, judged.changelog, partition)
    if (nextOffset < target) found.push(`partition ${partition}: processed up to ${nextOffset} of ${target}`)
    const all = committedFrom(log, log.partition(topic, partition), 0, Infinity).records
    const records: LogRecord[] = all.filter(({ offset }) => offset < nextOffset)
    for (const block of fastBlocks({ settings, partition, partitionCount: judged.targets.length, records }, { limits, work })) {
      for (const [table, parts] of Object.entries(block.parts))
        parts.forEach((bytes, part) => wantedParts.set(`${table}/${partition}/${block.firstOffset}/${part}`, bytes))
      block.outbox.forEach((message, i) => {
        const id = `${logId}/${topic}/${partition}/${block.firstOffset}/${i}`
        const to = message.kind === 'tier_change' ? judged.outbox.tierChanges : judged.outbox.rejected
        const { value } = outboxRecord(message, id, { topic, partition })
        wantedMessages.set(`${to} ${id}`, value ?? none)
      })
    }
  })

  const tables = new Set([...wantedParts.keys()].map((name) => name.slice(0, name.indexOf('/'))))
  const parts = [...tables].flatMap((table) =>
    store.parts(table).map(({ partition, firstOffset, part, rows }) => [`${table}/${partition}/${firstOffset}/${part}`, rows] as const),
  )
  const messages = [judged.outbox.tierChanges, judged.outbox.rejected].flatMap((to) =>
    to === undefined
      ? []
      : log.topics
          .get(to)!
          .partitions.flatMap((at) =>
            committedFrom(log, at, 0, Infinity).records.map(
              ({ headers, value }) => [`${to} ${text(headers?.['id'])}`, value ?? none] as const,
            ),
          ),
  )
  compare('part', wantedParts, parts, judged.merged)
  compare('message', wantedMessages, messages, new Set())
  return found

  /** What came in several pieces is right where the pieces together are: the rows count, not how they were sent. */
  function compare(
    what: string,
    wanted: ReadonlyMap<string, Uint8Array>,
    there: readonly (readonly [string, Uint8Array])[],
    mayMiss: ReadonlySet<string>,
  ) {
    for (const [name, pieces] of Map.groupBy(there, ([name]) => name)) {
      const want = wanted.get(name)
      // Where rows are replaced by newer ones each owner may insert the part: the same twice is the same.
      const whole =
        what === 'part' && isReplacing(name) && pieces.every(([, piece]) => want !== undefined && Buffer.from(piece).equals(want))
      const is = Buffer.concat((whole ? pieces.slice(0, 1) : pieces).map(([, piece]) => piece))
      if (want === undefined) found.push(`${what} ${name} should not be there`)
      else if (is.length > want.length) found.push(`${what} ${name} is there more than once`)
      else if (!is.equals(want)) found.push(`${what} ${name} has other content than the log gives`)
    }
    const seen = new Set(there.map(([name]) => name))
    for (const name of wanted.keys()) if (!seen.has(name) && !mayMiss.has(name)) found.push(`${what} ${name} is missing`)
  }
}

/** What a new owner of the partition would begin with. Asked for after every step of a run, so looked for only where there is more. */
export function lastCheckpoint(log: LogServer, changelog: string, partition: number): { logId: string; nextOffset: number } {
  if (!log.topics.has(changelog)) return { logId: '', nextOffset: 0 }
  const at = log.partition(changelog, partition)
  const stable = log.lastStable(at)
  const known = checkpoints.get(at) ?? { stable: 0, logId: '', nextOffset: 0 }
  if (known.stable === stable) return known
  for (const { key, value } of committedFrom(log, at, known.stable, Infinity).records) {
    if (text(key) === 'log') known.logId = (JSON.parse(text(value)) as { logId: string }).logId
    if (text(key) === 'checkpoint') known.nextOffset = (JSON.parse(text(value)) as { nextOffset: number }).nextOffset
  }
  known.stable = stable
  checkpoints.set(at, known)
  return known
}

const checkpoints = new WeakMap<StoredPartition, { stable: number; logId: string; nextOffset: number }>()
