// What every adapter of the Log port must do; runs on each of them in pipeline/adapters/log.test.ts.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '../../operators/hash.ts'
import {
  OffsetGone,
  OwnerLost,
  TopicMismatch,
  type ClaimOptions,
  type Log,
  type OutRecord,
  type PartitionOwner,
  type TopicSpec,
} from '../ports/log.ts'

export type LogFixture = {
  log: Log
  /** The same log as another process sees it, where it can be seen by another; it ends with the fixture. */
  another(): Promise<Log>
  close(): Promise<void>
}

const utf8 = new TextEncoder()
const text = (bytes: Uint8Array | null | undefined) => bytes && new TextDecoder().decode(bytes)
const record = (key: string | null, value: string | null, more: Partial<OutRecord> = {}): OutRecord => ({
  key: key === null ? null : utf8.encode(key),
  value: value === null ? null : utf8.encode(value),
  ...more,
})

/** One record as a test compares it. */
export type Seen = { offset: number; timestampMs: number; key: string | null; value: string | null; headers: Record<string, string> }

/** Reads `count` records of a partition, or with `count` undefined all that are there. */
export async function readSome(log: Log, topic: string, partition: number, fromOffset = 0, count?: number): Promise<Seen[]> {
  const reader = await log.read(topic, partition, fromOffset)
  const seen: Seen[] = []
  try {
    while (count === undefined || seen.length < count) {
      const batch = await reader.next(count === undefined ? 1_500 : 20_000)
      if (batch.count === 0) {
        if (count === undefined) break
        throw new Error(`${topic}/${partition}: ${seen.length} records came, want ${count}`)
      }
      expect(batch.partition).toBe(partition)
      for (let i = 0; i < batch.count; i++) seen.push(seenAt(batch, i))
      expect(batch.endOffset).toBeGreaterThan(batch.offsets[batch.count - 1] as number)
    }
  } finally {
    await reader.close()
  }
  return seen
}

function seenAt(batch: Awaited<ReturnType<Awaited<ReturnType<Log['read']>>['next']>>, i: number): Seen {
  const headers = Object.fromEntries(Object.entries(batch.headers[i] ?? {}).map(([name, value]) => [name, text(value) as string]))
  const bytes = (value: Uint8Array | null | undefined): string | null => {
    if (value === undefined) throw new Error('undefined in a column')
    return value === null ? null : (text(value) as string)
  }
  return {
    offset: batch.offsets[i] as number,
    timestampMs: batch.timestampsMs[i] as number,
    key: bytes(batch.keys[i]),
    value: bytes(batch.values[i]),
    headers,
  }
}

async function restored(owner: PartitionOwner): Promise<{ key: string | null; value: string | null; owner: boolean }[]> {
  const seen: { key: string | null; value: string | null; owner: boolean }[] = []
  for await (const batch of owner.restore()) {
    for (let i = 0; i < batch.count; i++) {
      const { key, value, headers } = seenAt(batch, i)
      seen.push({ key, value, owner: headers['reelpulse'] === 'owner' })
    }
  }
  return seen
}

/** A membership whose partitions a test can wait for. */
async function joined(log: Log, group: string, topic: string) {
  const owned = new Set<number>()
  const events: string[] = []
  let changed = () => {}
  const membership = await log.join(group, topic, {
    assigned(partition) {
      events.push(`+${partition}`)
      owned.add(partition)
      changed()
    },
    revoked(partition) {
      events.push(`-${partition}`)
      owned.delete(partition)
      changed()
    },
  })
  return {
    owned,
    events,
    close: () => membership.close(),
    async until(condition: (owned: Set<number>) => boolean) {
      while (!condition(owned)) await new Promise<void>((resolve) => (changed = resolve))
    },
  }
}

export function logContract(name: string, open: () => Promise<LogFixture>): void {
  describe(`a log (${name})`, () => {
    let fixture: LogFixture
    let log: Log
    beforeAll(async () => {
      fixture = await open()
      log = fixture.log
    })
    afterAll(() => fixture.close())

    let topics = 0
    const run = crypto.randomUUID().slice(0, 8)
    const newTopic = async (spec: Partial<TopicSpec> = {}): Promise<string> => {
      const topic = `contract-${run}-${topics++}`
      await log.createTopic({ topic, partitions: 1, timestamps: 'append', ...spec })
      return topic
    }
    const claimOf = async (partitions = 1): Promise<ClaimOptions> => {
      const topic = await newTopic({ partitions })
      return { group: `group-${topic}`, topic, partition: 0, changelogTopic: `${topic}.state` }
    }

    test('a topic can be created again as it is, and not otherwise', async () => {
      const topic = await newTopic({ partitions: 3, compacted: true, maxMessageBytes: 2_000_000 })
      await log.createTopic({ topic, partitions: 3, timestamps: 'append', compacted: true })
      await expect(log.createTopic({ topic, partitions: 4, timestamps: 'append', compacted: true })).rejects.toThrow(TopicMismatch)
      await expect(log.createTopic({ topic, partitions: 3, timestamps: 'create', compacted: true })).rejects.toThrow(TopicMismatch)
      await expect(log.createTopic({ topic, partitions: 3, timestamps: 'append' })).rejects.toThrow(/compacted is true, want false/)
      await expect(log.createTopic({ topic: 'no spaces', partitions: 1, timestamps: 'append' })).rejects.toThrow(/topic name/)
    })

    test('a topic says how long it keeps records, and how large one may be', async () => {
      const forEver = await log.describeTopic(await newTopic())
      expect(forEver).toMatchObject({ maxMessageBytes: 1_048_588 })
      expect([forEver?.retentionMs, forEver?.retentionBytes]).toEqual([undefined, undefined])
      expect(await log.describeTopic(await newTopic({ retentionMs: 86_400_000, maxMessageBytes: 2_000_000 }))).toMatchObject({
        retentionMs: 86_400_000,
        maxMessageBytes: 2_000_000,
      })
      // Compaction alone drops nothing by age.
      expect((await log.describeTopic(await newTopic({ compacted: true, retentionMs: 86_400_000 })))?.retentionMs).toBeUndefined()
    })

    test('a log of several machines says how its topics are kept', async () => {
      const { replication } = (await log.describeTopic(await newTopic()))!
      const cluster = await log.describeCluster?.()
      expect(replication === undefined).toBe(cluster === undefined)
      if (replication === undefined || cluster === undefined) return
      expect(replication.replicas).toBeGreaterThanOrEqual(replication.inSync)
      expect(cluster.brokers).toBeGreaterThanOrEqual(replication.replicas)
      expect(Math.min(replication.inSync, replication.minInSync)).toBeGreaterThanOrEqual(1)
      expect(replication.uncleanElection).toBe(false)
      expect(cluster.maxTransactionTimeoutMs).toBeGreaterThanOrEqual(cluster.transactionTimeoutMs)
    })

    test('a topic is raised to more partitions: what it holds stays, and the new ones are written and read', async () => {
      const topic = await newTopic({ partitions: 2 })
      await log.append(topic, [record('a', 'old', { partition: 1 })])
      await log.addPartitions(topic, 5)
      await log.addPartitions(topic, 5)
      expect((await log.describeTopic(topic))?.partitions).toHaveLength(5)
      await log.append(topic, [record('b', 'new', { partition: 4 })])
      expect((await readSome(log, topic, 1, 0, 1)).map(({ value }) => value)).toEqual(['old'])
      expect((await readSome(log, topic, 4, 0, 1)).map(({ value }) => value)).toEqual(['new'])
      await expect(log.addPartitions(topic, 4)).rejects.toThrow(/has 5 partitions, which is more than 4/)
      await expect(log.addPartitions(`${topic}-unknown`, 2)).rejects.toThrow(`${topic}-unknown`)
    })

    test('a partition that was added can be owned, with its state and its member', async () => {
      const claim = await claimOf(1)
      const before = await log.claim(claim)
      await before.close()
      await log.addPartitions(claim.topic, 2)
      await log.addPartitions(claim.changelogTopic, 2)
      const owner = await log.claim({ ...claim, partition: 1 })
      await owner.commit({ changelog: [record('u', 's')], outbox: [] })
      await owner.close()
      const next = await log.claim({ ...claim, partition: 1 })
      expect((await restored(next)).filter((seen) => !seen.owner)).toEqual([{ key: 'u', value: 's', owner: false }])
      await next.close()
      const member = await joined(log, claim.group, claim.topic)
      await member.until((owned) => owned.size === 2)
      await member.close()
    })

    test('a topic is described and listed; an unknown one is undefined', async () => {
      const topic = await newTopic({ partitions: 2, timestamps: 'create' })
      await log.append(topic, [record('a', '1', { partition: 1, timestampMs: 5 })])
      expect(await log.describeTopic(topic)).toMatchObject({
        topic,
        timestamps: 'create',
        compacted: false,
        partitions: [
          { begin: 0, end: 0 },
          { begin: 0, end: 1 },
        ],
      })
      expect(await log.describeTopic(`${topic}-unknown`)).toBeUndefined()
      expect(await log.listTopics()).toContain(topic)
      await expect(log.append(`${topic}-unknown`, [record('a', '1')])).rejects.toThrow(`${topic}-unknown`)
      await expect(log.read(`${topic}-unknown`, 0, 0)).rejects.toThrow(`${topic}-unknown`)
      await expect(log.read(topic, 2, 0)).rejects.toThrow(/partition 2/)
    })

    test('what is appended is read, byte for byte and in order', async () => {
      const topic = await newTopic()
      const headers = { received_at: utf8.encode('1700000000000'), 'x-é': utf8.encode(''), __proto__x: utf8.encode('1') }
      await log.append(topic, [
        record('k', 'v', { headers }),
        record(null, null, { headers: { reelpulse: utf8.encode('tick') } }),
        record('', ''),
        record('größe', '\u0000\u0001'),
      ])
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await log.append(topic, [{ key: all, value: all.toReversed() }])
      const seen = await readSome(log, topic, 0, 0, 4)
      expect(seen.slice(0, 4).map(({ offset, key, value, headers: found }) => [offset, key, value, found])).toEqual([
        [0, 'k', 'v', { received_at: '1700000000000', 'x-é': '', __proto__x: '1' }],
        [1, null, null, { reelpulse: 'tick' }],
        [2, '', '', {}],
        [3, 'größe', '\u0000\u0001', {}],
      ])
      const reader = await log.read(topic, 0, 4)
      const batch = await reader.next(20_000)
      expect(Buffer.from(batch.keys[0] as Uint8Array)).toEqual(Buffer.from(all))
      expect(Buffer.from(batch.values[0] as Uint8Array)).toEqual(Buffer.from(all.toReversed()))
      await reader.close()
    })

    test('a key goes to the partition that the Java client would choose', async () => {
      const topic = await newTopic({ partitions: 5 })
      const keys = Array.from({ length: 60 }, (_, index) => `user-${index * 7919}`)
      await log.append(
        topic,
        keys.map((key) => record(key, key)),
      )
      for (let partition = 0; partition < 5; partition++) {
        const wanted = keys.filter((key) => partitionOf(utf8.encode(key), 5) === partition)
        expect((await readSome(log, topic, partition, 0, wanted.length)).map(({ key }) => key)).toEqual(wanted)
      }
    })

    test('under CreateTime a record keeps its time, long past, ahead or out of order', async () => {
      const topic = await newTopic({ timestamps: 'create' })
      const times = [Date.UTC(2017, 10, 25), 0, Date.now() + 400 * 86_400_000, Date.UTC(2017, 10, 24) + 1]
      await log.append(
        topic,
        times.map((timestampMs) => record('a', 'b', { timestampMs })),
      )
      await log.append(topic, [record('a', 'c', { timestampMs: 77 })])
      expect((await readSome(log, topic, 0, 0, 5)).map(({ timestampMs }) => timestampMs)).toEqual([...times, 77])
      await expect(log.append(topic, [record('a', 'b', { timestampMs: 1 }), record('a', 'b')])).rejects.toThrow(
        /record 2 of 2: timestampMs/,
      )
      expect((await log.describeTopic(topic))?.partitions[0]?.end).toBe(5)
    })

    test("under LogAppendTime the time is the log's, and never goes back", async () => {
      const topic = await newTopic()
      const before = Date.now()
      for (let i = 0; i < 3; i++) await log.append(topic, [record('a', 'b', { timestampMs: 5 }), record('a', 'b')])
      const times = (await readSome(log, topic, 0, 0, 6)).map(({ timestampMs }) => timestampMs)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect(times[0]).toBeGreaterThanOrEqual(before - 1_000)
    })

    test('concurrent appends lose nothing and keep each one in order', async () => {
      const topic = await newTopic()
      const runs = Array.from({ length: 20 }, (_, run) => Array.from({ length: 50 }, (__, index) => record('k', `${run}:${index}`)))
      await Promise.all(runs.map((records) => log.append(topic, records)))
      const seen = await readSome(log, topic, 0, 0, 1_000)
      expect(seen.map(({ offset }) => offset)).toEqual(Array.from({ length: 1_000 }, (_, offset) => offset))
      for (let run = 0; run < 20; run++) {
        const mine = seen.filter(({ value }) => value?.startsWith(`${run}:`)).map(({ value }) => value)
        expect(mine).toEqual(Array.from({ length: 50 }, (_, index) => `${run}:${index}`))
      }
    })

    test('megabytes come out as they went in, from any offset', async () => {
      const topic = await newTopic()
      const values = Array.from({ length: 6_000 }, (_, index) => `${index} ${'x'.repeat(index % 2_000)}`)
      await log.append(
        topic,
        values.map((value) => record('k', value)),
      )
      const seen = await readSome(log, topic, 0, 0, values.length)
      expect(seen.every(({ offset, value }, index) => offset === index && value === values[index])).toBe(true)
      const tail = await readSome(log, topic, 0, 4_321, values.length - 4_321)
      expect(tail[0]).toMatchObject({ offset: 4_321, value: values[4_321] })
      expect(tail).toHaveLength(values.length - 4_321)
    })

    test("a record above the topic's limit is refused, and its neighbours with it", async () => {
      const topic = await newTopic({ maxMessageBytes: 5_000 })
      const bad = log.append(topic, [record('a', 'small'), record('a', 'x'.repeat(6_000))])
      await expect(bad).rejects.toThrow(/record 2 of 2: 6001 bytes exceed .* 5000/)
      expect((await log.describeTopic(topic))?.partitions[0]?.end).toBe(0)
    })

    test('ten megabytes in one record pass where the topic allows it', async () => {
      const topic = await newTopic({ maxMessageBytes: 12_000_000 })
      const big = new Uint8Array(10_000_000).fill(7)
      await log.append(topic, [record('a', 'before'), { key: null, value: big }, record('a', 'after')])
      const reader = await log.read(topic, 0, 0)
      const lengths: number[] = []
      while (lengths.length < 3) {
        const batch = await reader.next(20_000)
        for (let i = 0; i < batch.count; i++) lengths.push((batch.values[i] as Uint8Array).length)
      }
      await reader.close()
      expect(lengths).toEqual([6, 10_000_000, 5])
    })

    test('a reader at the end waits, gets an empty batch in time, and wakes when something is appended', async () => {
      const topic = await newTopic()
      const reader = await log.read(topic, 0, 0)
      const empty = await reader.next(20)
      expect(empty.count).toBe(0)
      expect(empty.endOffset).toBe(0)
      const waiting = reader.next(40_000)
      await log.append(topic, [record('a', 'now')])
      const batch = await waiting
      expect([batch.count, text(batch.values[0])]).toEqual([1, 'now'])
      await reader.close()
    })

    test('readers of several partitions do not hold each other up', async () => {
      const topic = await newTopic({ partitions: 4 })
      const readers = await Promise.all([0, 1, 2, 3].map((partition) => log.read(topic, partition, 0)))
      await log.append(
        topic,
        Array.from({ length: 3_000 }, (_, index) => record('k', `${index} ${'x'.repeat(1_000)}`, { partition: 0 })),
      )
      // Partition 1 is not asked for anything, 2 and 3 wait for what never comes.
      await log.append(topic, [record('k', 'waits', { partition: 1 })])
      const idle = readers.slice(2).map((reader) => reader.next(60_000))
      let read = 0
      while (read < 3_000) read += (await readers[0]?.next(20_000))?.count ?? 0
      expect((await readers[1]?.next(20_000))?.count).toBe(1)
      await Promise.all(readers.map((reader) => reader.close()))
      for (const batch of await Promise.all(idle)) expect(batch.count).toBe(0)
    })

    test('an offset that the log does not have is refused; its end is not', async () => {
      const topic = await newTopic()
      await log.append(topic, [record('a', '1')])
      await expect(log.read(topic, 0, 2)).rejects.toThrow(OffsetGone)
      await expect(log.read(topic, 0, -1)).rejects.toThrow(OffsetGone)
      const reader = await log.read(topic, 0, 1)
      expect((await reader.next(0)).count).toBe(0)
      await reader.close()
    })

    test('an owner of a new partition restores only its own record', async () => {
      const claim = await claimOf(3)
      const owner = await log.claim({ ...claim, partition: 2 })
      expect(await restored(owner)).toEqual([{ key: '\0owner', value: JSON.stringify({ owner_id: owner.ownerId }), owner: true }])
      const changelog = await log.describeTopic(claim.changelogTopic)
      expect(changelog?.compacted).toBe(true)
      expect(changelog?.partitions).toHaveLength(3)
      await owner.reportProgress(17)
      await owner.close()
    })

    test('a checkpoint lands whole: state for the next owner, messages for the readers', async () => {
      const claim = await claimOf(2)
      const outbox = await newTopic({ partitions: 2 })
      const first = await log.claim(claim)
      await first.commit({
        changelog: [record('u1', 's1'), record('u2', 's2')],
        outbox: [{ topic: outbox, records: [record('u1', 'm1', { partition: 1, headers: { id: utf8.encode('7') } })] }],
      })
      await first.commit({ changelog: [record('u1', 's3'), record('u2', null)], outbox: [] })
      await first.close()
      const second = await (await fixture.another()).claim(claim)
      const state = await restored(second)
      expect(state.filter(({ owner }) => !owner)).toEqual([
        { key: 'u1', value: 's1', owner: false },
        { key: 'u2', value: 's2', owner: false },
        { key: 'u1', value: 's3', owner: false },
        { key: 'u2', value: null, owner: false },
      ])
      expect(state.at(-1)).toEqual({ key: '\0owner', value: JSON.stringify({ owner_id: second.ownerId }), owner: true })
      expect((await readSome(log, outbox, 1, 0, 1)).map(({ value, headers }) => [value, headers])).toEqual([['m1', { id: '7' }]])
      expect((await log.describeTopic(claim.changelogTopic))?.partitions[1]).toEqual({ begin: 0, end: 0 })
      await second.close()
    })

    test('a large checkpoint lands whole', async () => {
      const claim = await claimOf()
      const outbox = await newTopic()
      const owner = await log.claim(claim)
      const state = Array.from({ length: 5_000 }, (_, index) => record(`u${index}`, `${index} ${'s'.repeat(1_000)}`))
      await owner.commit({ changelog: state, outbox: [{ topic: outbox, records: state }] })
      await owner.close()
      const next = await log.claim(claim)
      expect((await restored(next)).filter((seen) => !seen.owner).map(({ value }) => value)).toEqual(state.map(({ value }) => text(value)))
      expect(await readSome(log, outbox, 0, 0, 5_000)).toHaveLength(5_000)
      await next.close()
    })

    test('a claim fences the earlier owner: it can write nothing more, however often it tries', async () => {
      const claim = await claimOf()
      const outbox = await newTopic()
      const old = await log.claim(claim)
      await old.commit({ changelog: [record('u', 'kept')], outbox: [] })
      const owner = await (await fixture.another()).claim(claim)
      const zombie = { changelog: [record('u', 'lost')], outbox: [{ topic: outbox, records: [record('u', 'lost')] }] }
      await expect(old.commit(zombie)).rejects.toThrow(OwnerLost)
      await expect(old.commit(zombie)).rejects.toThrow(OwnerLost)
      await owner.commit({ changelog: [record('u', 'newer')], outbox: [{ topic: outbox, records: [record('u', 'one')] }] })
      expect((await readSome(log, outbox, 0)).map(({ value }) => value)).toEqual(['one'])
      const next = await log.claim(claim)
      const values = (await restored(next)).filter((seen) => !seen.owner).map(({ value }) => value)
      expect(values).toEqual(['kept', 'newer'])
      await Promise.all([old.close(), owner.close(), next.close()])
    })

    test('a claim can be given up, and a restore ends when its owner is closed', async () => {
      const claim = await claimOf()
      const reason = new Error('not wanted any more')
      await expect(log.claim({ ...claim, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const owner = await log.claim(claim)
      await owner.close()
      await expect(restored(owner)).rejects.toThrow(OwnerLost)
    })

    test('a checkpoint that cannot be written leaves nothing, and ends its owner', async () => {
      const claim = await claimOf()
      const outbox = await newTopic({ maxMessageBytes: 5_000 })
      const owner = await log.claim(claim)
      const records = [record('u', 'small'), record('u', 'x'.repeat(6_000))]
      await expect(owner.commit({ changelog: [record('u', 's')], outbox: [{ topic: outbox, records }] })).rejects.toThrow(/exceed/)
      await expect(owner.commit({ changelog: [record('u', 's')], outbox: [] })).rejects.toThrow(OwnerLost)
      await owner.close()
      const next = await log.claim(claim)
      expect((await restored(next)).filter((seen) => !seen.owner)).toEqual([])
      expect(await readSome(log, outbox, 0)).toEqual([])
      await next.close()
    })

    test('a sole member gets every partition, two share them, and the rest get those of one that leaves', async () => {
      const topic = await newTopic({ partitions: 4 })
      const first = await joined(log, `group-${topic}`, topic)
      await first.until((owned) => owned.size === 4)
      const second = await joined(await fixture.another(), `group-${topic}`, topic)
      await second.until((owned) => owned.size === 2)
      await first.until((owned) => owned.size === 2)
      expect(new Set([...first.owned, ...second.owned]).size).toBe(4)
      // What stays with the first member was not taken from it on the way: its state would have to be loaded again.
      expect(first.events.filter((event) => event.startsWith('-'))).toHaveLength(2)
      await first.close()
      expect(first.owned.size).toBe(0)
      await second.until((owned) => owned.size === 4)
      await second.close()
      expect(second.owned.size).toBe(0)
    })
  })
}
