// Users who are moved again and again, between changelogs that are compacted, with owners that come and go: what is told of them is what
// one owner of a single partition tells, who never stops. Every partition's clock is brought along by ticks, so that it is the same for all.
import { expect, test } from 'vitest'
import type { BehaviorEvent } from '../../schemas/behavior-batch.ts'
import { windows } from '../../schemas/measures.ts'
import { decodeRows } from '../../schemas/row-binary.ts'
import { partitionOf } from '../../operators/hash.ts'
import { defaultSettings, operatorVersion } from '../../operators/settings.ts'
import { encodeFlush } from '../../operators/testing/encode-flush.ts'
import { plainBatch, plainEvent, recordBatch, tick, uuidOf } from '../../operators/testing/generate.ts'
import { seeded } from '../../operators/testing/seeded.ts'
import type { OutRecord, PartitionOwner } from '../ports/log.ts'
import { behaviorWork } from '../roles/process/behavior-work.ts'
import { checkpointRecord, checkpointWriter, type CheckpointRecord } from '../roles/process/checkpoint.ts'
import { restorer } from '../roles/process/restore.ts'
import { forgetLeft, moveLeaving } from './move.ts'

const settings = defaultSettings
const secondMs = 1_000
const hourMs = 3_600_000
const utf8 = (text: string) => new TextEncoder().encode(text)

type Flush = { at: number; user: Uint8Array; value: Uint8Array }
type Chance = { below(n: number): number; one<T>(of: readonly T[]): T; oncein(n: number): boolean }

function chance(seed: number): Chance {
  const next = seeded(seed)
  const below = (n: number) => Math.floor(next() * n)
  return { below, one: (of) => of[below(of.length)]!, oncein: (n) => below(n) === 0 }
}

/** How far the clock goes: seconds mostly, at times to where rows of idle users wait, or so far that ids, marks and tiles are forgotten. */
function pause(at: number, { below, oncein, one }: Chance): number {
  if (oncein(70)) return below(35 * 24) * hourMs
  if (oncein(40)) return below(4 * 24) * hourMs
  if (oncein(12)) return below(12) * hourMs
  if (oncein(5)) return below(2 * hourMs)
  if (oncein(4)) {
    const { hopMs } = one(windows)
    return hopMs - (at % hopMs) + below(60 * secondMs)
  }
  return below(oncein(4) ? 600 * secondMs : 20 * secondMs)
}

/** A few users at a time, who change; ids that come again, of the user's own and of others; late events. */
function flushes(c: Chance, count: number): Flush[] {
  const users = Array.from({ length: 20 + c.below(200) }, (_, i) => `user-${(i * 7919) % 1000}`)
  const sent: { user: string; id: Uint8Array }[] = []
  const found: Flush[] = []
  let at = Date.UTC(2026, 9, 28) + c.below(24 * hourMs)
  let around = 0
  let ids = 0
  for (let n = 0; n < count; n++) {
    at += pause(at, c)
    if (c.oncein(30)) around = c.below(users.length)
    const user = c.oncein(3) ? c.one(users) : users[(around + c.below(8)) % users.length]!
    const own = sent.filter((one) => one.user === user)
    const events = Array.from({ length: 1 + c.below(c.oncein(10) ? 40 : 4) }, (): BehaviorEvent => {
      const from = c.oncein(4) ? own : c.oncein(5) ? sent.slice(-60) : []
      const id = from.length > 0 ? c.one(from).id : uuidOf(ids++)
      sent.push({ user, id })
      const behavior = c.one(['play', 'impression', 'purchase', 'register', 'like', 'search', 'session_start', 'follow'] as const)
      const lateMs = c.oncein(6) ? c.below(29 * 24) * hourMs : c.oncein(3) ? c.below(30) * hourMs : c.below(5 * secondMs)
      const more = { category: c.one(['music', 'dance', 'food', null]), session_id: c.oncein(3) ? `s${c.below(50)}` : null }
      return { ...plainEvent(id, behavior, at - lateMs), ...more }
    })
    found.push({ at, user: utf8(user), value: encodeFlush(plainBatch(user, at, events)) })
  }
  return found
}

const latin1 = (key: Uint8Array | null) => Buffer.from(key ?? []).toString('latin1')

function compacted(changelog: readonly OutRecord[], isOld: boolean): OutRecord[] {
  const latest = new Map(changelog.map(({ key }, i) => [latin1(key), i]))
  return changelog.filter(({ key, value }, i) => latest.get(latin1(key)) === i && !(isOld && value === null))
}

const batchOf = (changelog: readonly OutRecord[]) =>
  recordBatch(
    0,
    changelog.map(({ key, value }, offset) => ({ offset, timestampMs: 0, key, value, headers: undefined })),
  )

/** An owner that goes on from a changelog. */
function ownerOf(changelog: readonly OutRecord[], partition: number, partitionCount: number) {
  const work = behaviorWork({ settings, partition, partitionCount, resolve: () => 'unknown_schema' })
  const into = restorer(work.kept)
  into.take(batchOf(changelog))
  const { idKeys } = into.done()
  const block = work.tables({ rows: 1e9, bytes: 1e9 })
  const open = () => {
    for (const rows of block.all) rows.reset(partition, 0)
    work.open(block)
  }
  open()
  return { work, block, open, recordsOf: checkpointWriter(work.kept, idKeys) }
}
type Owner = ReturnType<typeof ownerOf>

const ofPlace = new Set(['partition', 'offset', 'first_offset', 'part', 'block_at', 'next_offset', 'partition_count'])
const isKey = new Set(['grain', 'bucket_at', 'dimension', 'value'])

/** Ends a block: its rows, without what says where they came from; of KPI cells the sums. */
function collect({ work, block, open }: Owner, rows: Map<string, number>): void {
  work.closeBlock(1)
  const add = (key: string, n: number) => rows.set(key, (rows.get(key) ?? 0) + n)
  for (const table of block.all)
    for (const part of table.finish(Math.max(0, work.clock())))
      for (const row of decodeRows(table.table.record, part.bytes)) {
        const columns = Object.entries(row).filter(([name]) => !ofPlace.has(name))
        if (table.table.name !== 'kpi_deltas') add(`${table.table.name} ${JSON.stringify(columns)}`, 1)
        else if (row['dimension'] !== 'clock')
          for (const [name, value] of columns)
            if (!isKey.has(name) && value !== 0) add(`kpi ${JSON.stringify([...isKey].map((key) => row[key]))} ${name}`, Number(value))
      }
  open()
}

const inMemory = (changelogs: OutRecord[][], partition: number): PartitionOwner => ({
  ownerId: `${partition}`,
  async *restore() {
    yield batchOf(changelogs[partition]!)
  },
  async commit({ changelog }) {
    changelogs[partition]!.push(...changelog)
  },
  async reportProgress() {},
  async close() {},
})

/** From `count` partitions to `to`, as repartition.ts does it; at times after a move that was begun and given up. */
async function moved(changelogs: OutRecord[][], count: number, to: number, c: Chance): Promise<OutRecord[][]> {
  const made = [...changelogs, ...Array.from({ length: to - count }, (): OutRecord[] => [])]
  const owners = made.map((_, partition) => inMemory(made, partition))
  const move = async (partition: number) => (await moveLeaving(owners, partition, count, to, () => {})).head.checkpoint!
  if (c.oncein(2)) for (let partition = 0; partition < c.below(count + 1); partition++) await move(partition)
  const checkpoints: CheckpointRecord[] = []
  for (let partition = 0; partition < count; partition++) checkpoints.push(await move(partition))
  for (const [partition, changelog] of made.entries())
    changelog.push(checkpointRecord({ ...(checkpoints[partition] ?? checkpoints[0]!), partitionCount: to }))
  if (!c.oncein(6)) for (const [partition, owner] of owners.entries()) await forgetLeft(owner, partition, to)
  return c.oncein(2) ? made.map((changelog) => compacted(changelog, c.oncein(2))) : made
}

/** What comes of the flushes where the topic has so many partitions, one after the other; `c`: the accidents, none without it. */
async function rowsOf(all: readonly Flush[], counts: readonly number[], c?: Chance): Promise<string[]> {
  const rows = new Map<string, number>()
  let count = counts[0]!
  let changelogs = Array.from({ length: count }, (): OutRecord[] => [])
  let owners = changelogs.map((changelog, partition) => ownerOf(changelog, partition, count))
  const keep = (partition: number, offset: number) => {
    const { work, recordsOf } = owners[partition]!
    const made = { nextOffset: offset, clock: work.clock(), operatorVersion, partitionCount: count, settings, clean: false }
    changelogs[partition]!.push(...recordsOf(made))
  }
  for (const [offset, { at, user, value }] of all.entries()) {
    const to = partitionOf(user, count)
    for (const [partition, { work }] of owners.entries())
      if (partition === to) work.apply(offset, at, user, value, undefined)
      else work.apply(offset, at, null, null, tick())
    const next = counts[Math.floor(((offset + 1) * counts.length) / all.length)] ?? count
    if (c === undefined || (next === count && !c.oncein(12))) continue
    for (const owner of owners) collect(owner, rows)
    for (const partition of owners.keys()) {
      if (next === count && c.oncein(2)) continue
      keep(partition, offset + 1)
      if (c.oncein(3)) changelogs[partition] = compacted(changelogs[partition]!, c.oncein(3))
      if (next === count && c.oncein(2)) owners[partition] = ownerOf(changelogs[partition]!, partition, count)
    }
    if (next === count) continue
    changelogs = await moved(changelogs, count, next, c)
    count = next
    owners = changelogs.map((changelog, partition) => ownerOf(changelog, partition, next))
  }
  for (const owner of owners) collect(owner, rows)
  return [...rows].map(([row, n]) => `${n} × ${row}`).toSorted()
}

const ways = [[2, 3, 4], [1, 2, 3, 5], [2, 4], [3, 4, 6], [1, 3, 4]] // prettier-ignore
const first = Number(process.env['SEED'] ?? 1)

test.each([0, 1, 2, 3, 4].map((n) => first + n))(
  'seed %i',
  async (seed) => {
    const all = flushes(chance(seed), 500)
    const alone = await rowsOf(all, [1])
    const apart = await rowsOf(all, ways[seed % ways.length]!, chance(seed + 1_000_000))
    expect(alone.length).toBeGreaterThan(5_000)
    const [inAlone, inApart] = [new Set(alone), new Set(apart)]
    expect({
      lost: alone.filter((row) => !inApart.has(row)).slice(0, 3),
      different: apart.filter((row) => !inAlone.has(row)).slice(0, 3),
    }).toEqual({ lost: [], different: [] })
  },
  60_000,
)
