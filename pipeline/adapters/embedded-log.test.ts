// What is the embedded log's own: one process a directory, survival of kill -9, retention, compaction, its clock.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OffsetGone, type OutRecord } from '../ports/log.ts'
import { readSome } from '../testing/log-contract.ts'
import { embeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts'
import { holderOf } from './embedded/lock.ts'

let directory: string
const opened: EmbeddedLog[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reelpulse-log-'))
})

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
  rmSync(directory, { recursive: true })
})

async function open(options: EmbeddedLogOptions = {}): Promise<EmbeddedLog> {
  const log = await embeddedLog(directory, { maintainEveryMs: 0, dirtyBytes: 0, ...options })
  opened.push(log)
  return log
}

const bytes = (value: string) => new TextEncoder().encode(value)
const record = (key: string, value: string | null): OutRecord => ({ key: bytes(key), value: value === null ? null : bytes(value) })
const pairs = async (log: EmbeddedLog, topic: string) => (await readSome(log, topic, 0)).map(({ key, value }) => `${key}=${value}`)

test('topics, records, offsets and claims outlive the process', async () => {
  const before = await open()
  await before.createTopic({ topic: 't', partitions: 2, timestamps: 'create' })
  await before.append('t', [{ ...record('a', '1'), timestampMs: 7, partition: 1 }])
  const claim = { group: 'g', topic: 't', partition: 0, changelogTopic: 't.state' }
  const owner = await before.claim(claim)
  await owner.commit({ changelog: [record('u', 's')], outbox: [] })
  await before.close()
  const after = await open()
  expect(await after.describeTopic('t')).toMatchObject({
    topic: 't',
    timestamps: 'create',
    compacted: false,
    partitions: [
      { begin: 0, end: 0 },
      { begin: 0, end: 1 },
    ],
  })
  expect(await readSome(after, 't', 1, 0, 1)).toEqual([{ offset: 0, timestampMs: 7, key: 'a', value: '1', headers: {} }])
  const restored: string[] = []
  for await (const batch of (await after.claim(claim)).restore()) {
    for (let i = 0; i < batch.count; i++) restored.push(new TextDecoder().decode(batch.keys[i] as Uint8Array))
  }
  expect(restored).toEqual(['\0owner', 'u', '\0owner'])
})

test('a second process is told who has the directory', async () => {
  const log = await open()
  await expect(embeddedLog(directory)).rejects.toThrow(new RegExp(`in use by process ${process.pid} since .*--data`))
  await log.close()
  await open()
})

test('whoever only looks sees what is there, whether another has the directory or nobody, and leaves nothing behind', async () => {
  const owner = await open()
  await owner.createTopic({ topic: 't', partitions: 1, timestamps: 'append' })
  await owner.append('t', [record('a', '1')])
  const look = async () => {
    const log = await embeddedLog(directory, { readOnly: true })
    try {
      expect((await log.describeTopic('t'))?.partitions).toEqual([{ begin: 0, end: 1 }])
      expect((await readSome(log, 't', 0, 0, 1)).map(({ value }) => value)).toEqual(['1'])
      await expect(log.append('t', [record('b', '2')])).rejects.toThrow(/was opened to be looked at/)
    } finally {
      await log.close()
    }
  }
  await look()
  expect(holderOf(directory)).toContain(`process ${process.pid} since `)
  await owner.close()
  const files = readdirSync(directory)
  await look()
  expect(holderOf(directory)).toBeUndefined()
  expect(readdirSync(directory)).toEqual(files)
})

test('what was acknowledged before kill -9 is there, whole transactions only, and the directory is free', async () => {
  const script = `
    const { embeddedLog } = await import(${JSON.stringify(new URL('./embedded-log.ts', import.meta.url).href)})
    const log = await embeddedLog(${JSON.stringify(directory)})
    await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append' })
    await log.createTopic({ topic: 'out', partitions: 1, timestamps: 'append' })
    const owner = await log.claim({ group: 'g', topic: 't', partition: 0, changelogTopic: 't.state' })
    for (let i = 0; ; i++) {
      const records = Array.from({ length: 200 }, (_, j) => ({ key: new Uint8Array([j]), value: new TextEncoder().encode(i + ':' + j) }))
      await owner.commit({ changelog: records, outbox: [{ topic: 'out', records }] })
      console.log(i)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  let acknowledged = -1
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line)
    if (acknowledged === 20) child.kill('SIGKILL')
  }
  await exited
  expect(holderOf(directory)).toBeUndefined()
  const looking = await embeddedLog(directory, { readOnly: true })
  const seen = await looking.describeTopic('out')
  await looking.close()
  const log = await open()
  expect(await log.describeTopic('out')).toEqual(seen)
  const out = await readSome(log, 'out', 0)
  const state = (await readSome(log, 't.state', 0)).filter(({ headers }) => headers['reelpulse'] === undefined)
  expect(out.length % 200).toBe(0)
  expect(out.length).toBeGreaterThanOrEqual(200 * (acknowledged + 1))
  expect(state.map(({ value }) => value)).toEqual(out.map(({ value }) => value))
})

test('retention drops whole batches from the front, and a reader that still wants them is told', async () => {
  let nowMs = 1_000_000
  const log = await open({ now: () => nowMs })
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append', retentionMs: 1_000 })
  await log.append('t', [record('a', '1'), record('b', '2')])
  const reader = await log.read('t', 0, 1)
  nowMs += 600
  await log.append('t', [record('c', '3')])
  await log.maintain()
  expect((await log.describeTopic('t'))?.partitions).toEqual([{ begin: 0, end: 3 }])
  nowMs += 600
  await log.maintain()
  expect((await log.describeTopic('t'))?.partitions).toEqual([{ begin: 2, end: 3 }])
  await expect(reader.next(0)).rejects.toThrow(OffsetGone)
  await expect(log.read('t', 0, 1)).rejects.toThrow(/offset 1 is outside the log, which has \[2, 3\]/)
  expect((await readSome(log, 't', 0, 2)).map(({ value }) => value)).toEqual(['3'])
  nowMs += 10_000
  await log.maintain()
  await log.close()
  const again = await open({ now: () => nowMs })
  expect((await again.describeTopic('t'))?.partitions).toEqual([{ begin: 3, end: 3 }])
  await again.append('t', [record('d', '4')])
  expect((await readSome(again, 't', 0, 3)).map(({ offset, value }) => [offset, value])).toEqual([[3, '4']])
})

test('compaction keeps the latest of each key at its offset, and a deletion for a day', async () => {
  let nowMs = 1_000_000
  const log = await open({ now: () => nowMs })
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append', compacted: true })
  await log.append('t', [record('a', '1'), record('b', '1'), record('a', '2')])
  await log.append('t', [record('c', '1'), record('b', null)])
  await log.append('t', [record('a', '3')])
  await log.maintain()
  expect((await readSome(log, 't', 0)).map(({ offset, timestampMs, key, value }) => [offset, timestampMs, key, value])).toEqual([
    [3, 1_000_000, 'c', '1'],
    [4, 1_000_000, 'b', null],
    [5, 1_000_000, 'a', '3'],
  ])
  for (const value of ['1', '1', '1', '1', '1', '1', '2']) await log.append('t', [record('c', value)])
  nowMs += 86_400_001
  await log.maintain()
  expect(await pairs(log, 't')).toEqual(['a=3', 'c=2'])
  expect((await log.describeTopic('t'))?.partitions).toEqual([{ begin: 0, end: 13 }])
  await expect(log.append('t', [{ key: null, value: bytes('x') }])).rejects.toThrow(/needs a key/)
  await log.append('t', [record('d', '1')])
  expect((await readSome(log, 't', 0, 5)).map(({ offset }) => offset)).toEqual([5, 12, 13])
})

test('a changelog whose users are written again and again stays as large as its users', async () => {
  const log = await open({ dirtyBytes: 100_000 })
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append' })
  const owner = await log.claim({ group: 'g', topic: 't', partition: 0, changelogTopic: 't.state' })
  const users = 200
  for (let n = 0; n < 60; n++) {
    const changelog = Array.from({ length: users }, (_, user) => record(`user/${user}`, `${n}/${user}/${'x'.repeat(200)}`))
    await owner.commit({ changelog, outbox: [] })
    await log.maintain()
  }
  const seen = await readSome(log, 't.state', 0)
  // What is not worth another compaction is less than half of the partition, or less than dirtyBytes.
  expect(seen.length).toBeLessThan(5 * users)
  const latest = new Map(seen.map(({ key, value }) => [key, value]))
  for (let user = 0; user < users; user++) expect(latest.get(`user/${user}`)).toMatch(`59/${user}/`)
})

test('compaction under readers and writers loses nothing that is the latest', async () => {
  const log = await open()
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append', compacted: true })
  const latest = new Map<string, string>()
  const write = async (round: number) => {
    const records: OutRecord[] = []
    for (let i = 0; i < 3_000; i++) {
      const key = `user-${(i * 31 + round * 17) % 2_000}`
      const value = `${round}:${i} ${'x'.repeat(200)}`
      latest.set(key, value)
      records.push(record(key, value))
    }
    await log.append('t', records)
  }
  const seen = new Map<string, string>()
  const reader = await log.read('t', 0, 0)
  let from = -1
  const drain = async () => {
    for (let batch = await reader.next(0); batch.count > 0; batch = await reader.next(0)) {
      for (let i = 0; i < batch.count; i++) {
        expect(batch.offsets[i]).toBeGreaterThan(from)
        from = batch.offsets[i] as number
        seen.set(new TextDecoder().decode(batch.keys[i] as Uint8Array), new TextDecoder().decode(batch.values[i] as Uint8Array))
      }
    }
  }
  for (let round = 0; round < 8; round++) await Promise.all([write(round), log.maintain(), drain()])
  await log.maintain()
  await drain()
  expect(seen).toEqual(latest)
  const after = await readSome(log, 't', 0)
  expect(new Map(after.map(({ key, value }) => [key, value]))).toEqual(latest)
  expect(after).toHaveLength(latest.size)
})

test("the log's time stands still while the machine's goes back", async () => {
  let nowMs = 5_000
  const log = await open({ now: () => nowMs })
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append' })
  await log.append('t', [record('a', '1')])
  nowMs = 4_000
  await log.append('t', [record('a', '2')])
  await log.close()
  const again = await open({ now: () => nowMs })
  await again.append('t', [record('a', '3')])
  expect((await readSome(again, 't', 0)).map(({ timestampMs }) => timestampMs)).toEqual([5_000, 5_000, 5_000])
})

test('a file of a newer format is refused', async () => {
  await (await open()).close()
  const db = new DatabaseSync(join(directory, 'log.db'))
  db.exec('pragma user_version = 99')
  db.close()
  await expect(embeddedLog(directory)).rejects.toThrow(/has format 99, this program knows 1/)
})

test('an append to a closed log fails, and closing it twice does not', async () => {
  const log = await open()
  await log.createTopic({ topic: 't', partitions: 1, timestamps: 'append' })
  const pending = log.append('t', [record('a', '1')])
  await log.close()
  await pending
  await log.close()
  await expect(log.append('t', [record('a', '1')])).rejects.toThrow(/closed/)
})
