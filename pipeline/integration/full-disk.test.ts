// A real disk that is full to the last byte: the embedded log and engine refuse and say so, lose nothing that they had acknowledged, and go on by
// themselves once there is room.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, openEmbeddedStore } from '../adapters/embedded-store.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { faultOf } from '../engine/fault.ts'
import { openSpool } from '../engine/spool.ts'
import { LogFailed } from '../ports/log.ts'
import { StoreAway } from '../ports/store.ts'
import { startProcess } from '../roles/process/process.ts'
import { patientLog } from '../start/patient-log.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import { readSome } from '../testing/log-contract.ts'
import { rowsOf } from '../testing/numbered-rows.ts'
import { smallDisk, smallDiskMissing, type SmallDisk } from '../testing/small-disk.ts'
import { soon } from '../testing/soon.ts'
import { writeTraffic } from '../traffic/write-traffic.ts'
import { multiset } from './multiset.ts'
import { prepareStore, processAll } from './process-harness.ts'

const missing = smallDiskMissing()

describe.skipIf(missing !== undefined)(`a full disk${missing === undefined ? '' : `: ${missing}`}`, () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  })
  const disk = (megabytes: number): SmallDisk => {
    const made = smallDisk(megabytes)
    cleanups.push(made.remove)
    return made
  }

  test('the log refuses an append whole, says which disk, and takes it once there is room; opened on a full disk it has all it had', async () => {
    const { path, fill, free } = disk(24)
    const directory = join(path, 'log')
    const log = await embeddedLog(directory, { maintainEveryMs: 0 })
    await log.createTopic({ topic: 't', partitions: 2, timestamps: 'append' })
    let taken = 0
    const append = async () => {
      const value = new TextEncoder().encode(`${taken} ${'x'.repeat(100_000)}`)
      await log.append('t', [0, 1].map((partition) => ({ key: null, value, partition }))) // prettier-ignore
      taken++
    }
    const refused = () => expect(append()).rejects.toThrow(new LogFailed(`the disk of ${join(directory, 'log.db')} is full: make room on it. Nothing that was acknowledged is lost, and the log takes records again as soon as it can`)) // prettier-ignore
    for (let i = 0; i < 10; i++) await append()
    fill()
    await refused()
    await refused()
    free()
    await append()
    fill()
    await refused()
    await log.close()
    const again = await embeddedLog(directory, { maintainEveryMs: 0 })
    const found = await Promise.all([0, 1].map((partition) => readSome(again, 't', partition, 0, taken)))
    await again.close()
    const all = Array.from({ length: 11 }, (_, i) => i)
    for (const seen of found) expect(seen.map(({ value }) => Number.parseInt(value!, 10))).toEqual(all)
  })

  test('the engine is away while its disk is full: no part, no table, no new start; then it takes the same insert once', async () => {
    const { path, fill, free } = disk(64)
    const open = () => openEmbeddedStore({ dataDir: join(path, 'data'), database: 'reelpulse' })
    const create = (name: string) =>
      `CREATE TABLE ${name} (i UInt32, j UInt32) ENGINE = MergeTree ORDER BY j SETTINGS non_replicated_deduplication_window = 100`
    const { store, close } = await open()
    cleanups.push(close)
    await store.migrate([], [])
    await store.command(create('t'))
    const insert = (to: typeof store, i: number) =>
      to.insert({ table: 't', columns: ['i', 'j'], rows: rowsOf(i, 1_000), token: `insert ${i}` })
    const counted = (from: typeof store) => from.query('SELECT i, count() AS rows FROM t GROUP BY i ORDER BY i')
    const upTo = (count: number) => Array.from({ length: count }, (_, i) => ({ i, rows: 1_000 }))
    for (const i of [0, 1, 2]) await insert(store, i)
    fill()
    await expect(insert(store, 3)).rejects.toThrow(StoreAway)
    await expect(insert(store, 3)).rejects.toThrow(/NOT_ENOUGH_SPACE/)
    // The engine itself would say yes, and not start with what it left behind.
    await expect(store.command(create('u'))).rejects.toThrow(/The disk is full: no CREATE until there is room.*NOT_ENOUGH_SPACE/)
    expect(await counted(store)).toEqual(upTo(3))
    free()
    await insert(store, 3)
    fill()
    await expect(insert(store, 4)).rejects.toThrow(StoreAway)
    await close()
    await expect(open()).rejects.toThrow(/no space left on device/)
    free()
    const second = await open()
    cleanups.push(second.close)
    await insert(second.store, 4)
    expect(await counted(second.store)).toEqual(upTo(5))
  })

  test("where the bodies of inserts lie, a full disk is the engine's NOT_ENOUGH_SPACE, and leaves no body behind", async () => {
    const { path, fill, free } = disk(4)
    const directories = [join(path, 'spool')]
    const spool = openSpool({ directories, maxBodyBytes: 1_000_000 })
    const body = () => spool.write(undefined, Buffer.alloc(500_000, 1))
    fill()
    const fault = faultOf(await body().catch((error: unknown) => error))
    expect(fault.message).toMatch(/^Code: 243\. .*No space for the request's body.*\(NOT_ENOUGH_SPACE\)$/)
    expect(readdirSync(directories[0]!)).toEqual([])
    free()
    expect((await body()).bytes).toBe(500_000)
  })

  test.each([
    ['log', [/^traffic waits: the disk of .* is full: make room on it/, /^warn: the partition is taken again, .*is full: make room on it/]],
    ['engine', [/^warn: the store does not answer; waiting .*NOT_ENOUGH_SPACE/]],
  ])(
    "on a full disk of the %s's, traffic and the process role wait, say so, go on by themselves, and every event is in the table once",
    async (of, says) => {
      const { path, fill, free } = disk(96)
      const elsewhere = mkdtempSync(join(tmpdir(), 'reelpulse-full-'))
      cleanups.push(() => rmSync(elsewhere, { recursive: true, force: true }))
      const engine = await openEmbeddedEngine({ dataDir: of === 'engine' ? path : elsewhere })
      cleanups.push(() => engine.close())
      const log = await embeddedLog(join(of === 'log' ? path : elsewhere, 'log'))
      cleanups.push(() => log.close())
      const store = engine.store('full')
      await prepareStore(store)
      const topic = 'full'
      await log.createTopic({ topic, partitions: 2, timestamps: 'create' })
      const said: string[] = []
      const next = new Map<number, number>()
      const full = Promise.withResolvers<void>()
      const role = await startProcess({
        clock: systemClock,
        log,
        // So that there is something left to do when the disk is full.
        store: { ...store, insert: (block) => full.promise.then(() => store.insert(block)) },
        topic,
        names: namesOf(topic, 'reelpulse'),
        settings: defaultSettings,
        blockSpanMs: 200,
        checkpointMs: 500,
        resolve: knownFlushes(),
        onProgress: ({ partition, nextOffset }) => next.set(partition, nextOffset),
        tell: (level, message, facts) => said.push(`${level}: ${message} ${JSON.stringify(facts)}`),
      })
      const stop = new AbortController()
      const patient = patientLog(log, stop.signal, (message) => said.push(message))
      const write = () =>
        writeTraffic(patient, topic, {
          seed: 7,
          partitions: 2,
          eventsPerSecond: 0.05,
          users: 100,
          faults: 0,
          events: 600,
          fromMs: Date.UTC(2026, 9, 28),
        })
      const first = await write()
      fill()
      full.resolve()
      const writing = write()
      try {
        for (const words of says) await soon(() => said.some((line) => words.test(line))).toBe(true)
      } finally {
        free()
      }
      const second = await writing
      const ends = (await log.describeTopic(topic))!.partitions.map(({ end }) => end)
      await soon(() => ends.map((end, partition) => (next.get(partition) ?? 0) >= end)).toEqual([true, true])
      await role.stop()
      // The same topic, processed without a fault.
      const whole = engine.store('whole')
      await prepareStore(whole)
      await processAll({ topic, members: [{ log, store: whole }], group: 'alone' })
      expect(first.events + second.events).toBe(1_200)
      for (const table of ['events', 'tier_changes']) {
        const rows = await multiset(whole, table)
        expect(rows.length, table).toBeGreaterThan(10)
        expect(await multiset(store, table), table).toEqual(rows)
      }
      expect(said.filter((line) => line.startsWith('error'))).toEqual([])
    },
    120_000,
  )
})
