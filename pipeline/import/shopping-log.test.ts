// The main job on a real log: a shop's CSV through import, Kafka and the process role into the engine, against SQL over the CSV's own rows.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../adapters/system-clock.ts'
import { defaultSettings } from '../../operators/settings.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { startProcess } from '../roles/process/process.ts'
import { progressBoard } from '../start/progress.ts'
import { knownFlushes, namesOf } from '../start/topic-plan.ts'
import { endsOf, untilProcessed } from '../start/until-processed.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { insertRows, lastingTables, openTestStore } from '../verify/hand-made.ts'
import { madeShoppingLog, readShoppingLog, realShoppingLog, shoppingLogCsv, type ShoppingLogRow } from '../verify/shopping-log-sample.ts'
import { shoppingLogTable, shoppingLogTierChanges } from '../verify/shopping-log.sql.ts'
import { verify } from '../verify/verify.ts'
import { runImport, type ImportOutcome } from './import.ts'
import { readMapping } from './mapping.ts'
import { readTopic } from './read-topic.ts'

const example = fileURLToPath(new URL('../../docs/examples/shopping-log.mapping.yaml', import.meta.url))
const priceMinor = 19_900

function exampleMapping() {
  const read = readMapping(readFileSync(example, 'utf8'), 'shopping-log.mapping.yaml')
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.mapping
}

const missing = await missingKafka()
const backends = [
  { name: 'the embedded log', missing: undefined, open: (directory: string): Promise<Log> => embeddedLog(join(directory, 'log')) },
  { name: 'Kafka', missing, open: async (): Promise<Log> => kafkaLog({ brokers: [await sharedKafka()] }) },
]

describe.for(backends)('a shopping log, from CSV to tiers ($name)', ({ name, missing, open }) => {
  if (missing !== undefined) {
    test.skip(missing)
    return
  }
  let directory: string
  let store: Store
  let log: Log
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'reelpulse-shopping-'))
    store = await openTestStore([...lastingTables, shoppingLogTable])
    log = await open(directory)
  })
  afterAll(async () => {
    await log?.close()
    await store?.close()
    rmSync(directory, { recursive: true })
  })

  const importInto = (topic: string, file: string): Promise<ImportOutcome> =>
    runImport(log, {
      topic,
      partitions: 4,
      file,
      mapping: exampleMapping(),
      currency: defaultSettings.currency,
      emitMs: defaultSettings.emitMs,
      spoolIn: join(directory, 'spool'),
    })

  /** Until all that the topic holds now is in the tables. */
  async function processAll(topic: string): Promise<void> {
    const board = progressBoard(Date.now)
    const ends = await endsOf(log, topic)
    const role = await startProcess({
      clock: systemClock,
      log,
      store,
      topic,
      names: namesOf(topic, 'shopping'),
      settings: defaultSettings,
      blockSpanMs: 1_000,
      checkpointMs: 1_000,
      resolve: knownFlushes(),
      onProgress: board.report,
      tell() {},
    })
    try {
      await untilProcessed(() => Promise.resolve(ends), board, role, AbortSignal.timeout(120_000))
    } finally {
      await role.stop()
    }
  }

  const rowsOf = (query: string) => store.query<Record<string, unknown>>(query)

  /** Everything that must hold of a log: what is imported, what comes of it, and that a second time changes nothing. */
  async function bringIn(file: string, rows: readonly ShoppingLogRow[]) {
    const topic = `shopping-${crypto.randomUUID().slice(0, 8)}`
    for (const table of [...tables, shoppingLogTable]) await store.command(`TRUNCATE TABLE ${table.name}`)
    const { state, figures } = await importInto(topic, file)
    expect({ state, badRows: figures.badRows, rows: figures.rows }).toEqual({ state: 'imported', badRows: 0, rows: rows.length })
    await processAll(topic)

    const events = await rowsOf('SELECT behavior, count() AS n FROM events GROUP BY behavior')
    const counts = Object.fromEntries(events.map(({ behavior, n }) => [behavior, Number(n)]))
    const times = (...names: string[]) => rows.filter(({ behavior }) => names.includes(behavior)).length
    const registers = new Set(rows.map(({ user }) => user)).size
    expect(counts).toEqual({
      impression: times('pv'),
      click: times('pv'),
      like: times('cart', 'fav'),
      purchase: times('buy'),
      register: registers,
    })
    // Times are the rows' own, to the millisecond; nothing was rejected or taken for a duplicate.
    expect(await rowsOf('SELECT count() AS n FROM rejected_events')).toEqual([{ n: 0 }])
    expect(await rowsOf('SELECT countIf(event_at != clock_at OR event_at != record_at) AS n FROM events')).toEqual([{ n: 0 }])

    await insertRows(store, shoppingLogTable, rows)
    const expected = await store.query(shoppingLogTierChanges(shoppingLogTable.name), {
      zone: defaultSettings.zone,
      price_minor: priceMinor,
    })
    const changes = () =>
      rowsOf(
        'SELECT user_id, toString(`from`) AS from_tier, toString(`to`) AS to_tier, toUnixTimestamp64Milli(as_of) AS as_of_ms FROM tier_changes ORDER BY user_id, as_of_ms, from_tier',
      )
    expect(await changes()).toEqual(expected)

    const report = await verify(store, defaultSettings, { everything: true, users: undefined, rows: 1 })
    expect(report.rowsDiffer).toBe(0)
    expect(report.rowsCompared).toBeGreaterThan(expected.length)
    expect(report.kpiCells.daysLeftOut).toBe(0)
    expect(report.kpiCells.compared).toBeGreaterThan(3 * rows.length)

    const kept = (await readTopic(log, topic)).flat().length
    const before = await rowsOf('SELECT count() AS n FROM events')
    expect(await importInto(topic, file)).toMatchObject({ state: 'nothing new', figures: { rows: rows.length, flushesAppended: 0 } })
    await processAll(topic)
    expect((await readTopic(log, topic)).flat()).toHaveLength(kept)
    expect(await rowsOf('SELECT count() AS n FROM events')).toEqual(before)
    expect(await changes()).toEqual(expected)
    return { counts, figures, changes: expected.length }
  }

  test('a made-up log: its tiers are those that SQL finds in its rows, and a second import changes nothing', async () => {
    let seed = 11
    const random = () => ((seed = (Math.imul(seed, 48_271) >>> 0) % 2_147_483_647) - 1) / 2_147_483_646
    const rows = madeShoppingLog(random, 40, 30, Date.UTC(2017, 10, 20) / 1000, 80)
    const file = join(directory, 'made.csv')
    writeFileSync(file, shoppingLogCsv(rows))
    const { changes } = await bringIn(file, rows)
    expect(changes).toBeGreaterThan(80)
  })

  if (name !== 'Kafka') return
  test.skipIf(realShoppingLog === undefined)(
    'the real shopping log: 10,000 rows give 19,160 events, 206 purchases and 114 registers (REELPULSE_SHOPPING_LOG names the file)',
    async () => {
      const file = join(directory, 'real.csv')
      copyFileSync(realShoppingLog!, file)
      const { counts, figures, changes } = await bringIn(file, readShoppingLog(file))
      expect(figures).toMatchObject({ rows: 10_000, events: 19_160, users: 114 })
      expect(counts).toMatchObject({ purchase: 206, register: 114 })
      expect(changes).toBe(269)
    },
    180_000,
  )
})
