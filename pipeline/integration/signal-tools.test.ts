// What people have at hand for a topic of customer signals: a look at a user, the doctor, skip, and replay; on real parts.
import { expect, onTestFinished, test } from 'vitest'
import { defaultSettings } from '../../operators/settings.ts'
import { encodeAs } from '../../operators/testing/encode-flush.ts'
import { uuidOf } from '../../operators/testing/generate.ts'
import { plainSignal } from '../../operators/testing/nasty-signals.ts'
import { customerSignal, type CustomerSignal } from '../../schemas/customer-signal.ts'
import { signalTables } from '../../schemas/tables/catalogue.ts'
import { systemClock } from '../adapters/system-clock.ts'
import { changelogOf, databaseOf, rejectedTopicOf, signalsTopicOf } from '../config/names.ts'
import { gather, judge, type DoctorSettings } from '../doctor/doctor.ts'
import { lookUpSignals } from '../peek/look-up-signals.ts'
import { renderSignals } from '../peek/render.ts'
import { logger } from '../log/logger.ts'
import type { Store } from '../ports/store.ts'
import { replay } from '../replay/replay.ts'
import { findGap, skip } from '../skip/skip.ts'
import { openMonitoring } from '../start/monitoring.ts'
import { startSignals } from '../start/signals.ts'
import { knownSignals } from '../start/topic-plan.ts'
import { embeddedParts } from '../testing/embedded-parts.ts'
import { soon } from '../testing/soon.ts'
import { moveClock } from '../ticks.ts'
import { dieBeyondCheckpoint, processAll } from './process-harness.ts'

const { dataDir, engine, log } = await embeddedParts('signal-tools')
// Recent: the doctor looks at young rows.
const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000
const limits = { block: { events: 5, bytes: 1e6 } }
const utf8 = (value: string) => new TextEncoder().encode(value)

type Sent = { topic: string; store: Store; members: { log: typeof log; store: Store }[]; send(from: number, signals: readonly CustomerSignal[], spoil?: (value: Uint8Array) => Uint8Array): Promise<void> } // prettier-ignore

async function newTopic(name: string): Promise<Sent> {
  const topic = signalsTopicOf(name)
  const store = engine.store(databaseOf(topic))
  await store.migrate(signalTables, [])
  await log.createTopic({ topic, partitions: 1, timestamps: 'create' })
  return {
    topic, store, members: [{ log, store }],
    async send(from, signals, spoil = (value) => value) {
      await log.append(topic, signals.map((signal, i) => ({ key: utf8(signal.user_id ?? signal.channel!), value: spoil(encodeAs(customerSignal, signal)), timestampMs: startMs + (from + i) * 1_000 }))) // prettier-ignore
      await moveClock(log, topic, startMs + (from + signals.length) * 1_000)
    },
  } // prettier-ignore
}

const rating = (n: number, user: string, more: Partial<CustomerSignal> = {}): CustomerSignal => ({ ...plainSignal('service_rating', uuidOf(n), user, startMs + n * 1_000), ...more }) // prettier-ignore
const idsIn = async (store: Store) =>
  (await store.query<{ offset: number }>('SELECT offset FROM customer_signals ORDER BY offset')).map(({ offset }) => offset)

test('peek shows what a user has signalled, newest first, and what a channel has that names no user', async () => {
  const { topic, store, members, send } = await newTopic('peek')
  const cost = { ...plainSignal('cost', uuidOf(3), null, startMs + 3_000), channel: 'kol', amount_minor: 12_345 }
  await send(0, [rating(0, 'ann'), rating(1, 'ben'), rating(2, 'ann', { score: 2 }), cost])
  await processAll({ topic, members, limits })
  const found = await lookUpSignals(store, 'ann', 10)
  expect(found!.signals.map(({ score }) => score)).toEqual([2, 4])
  const rendered = renderSignals(found!, { zone: 'UTC', currency: 'CNY' })
  expect(rendered).toContain('key ann')
  expect(rendered).toContain('service_rating  score 2')
  expect(renderSignals((await lookUpSignals(store, 'kol', 1))!, { zone: 'UTC', currency: 'CNY' })).toContain('CNY 123.45')
  expect(await lookUpSignals(store, 'nobody', 10)).toBeUndefined()
  expect(await lookUpSignals(engine.store('reelpulse_nothing'), 'ann', 10)).toBeUndefined()
})

const doctored = (topic: string): DoctorSettings => ({
  data: { dir: dataDir },
  log: { brokers: [], clientId: 'd', ssl: false, saslMechanism: undefined, saslUsername: undefined, saslPassword: undefined, sessionTimeoutS: 30 },
  store: { url: undefined, user: 'default', password: '' },
  topic: { topic, group: 'reelpulse' },
  process: { blockSpanS: 5, checkpointS: 10 },
}) // prettier-ignore

test('the doctor finds a topic of signals well, and a row that is there twice', async () => {
  const { topic, store, members, send } = await newTopic('doctor')
  await send(
    0,
    Array.from({ length: 12 }, (_, n) => rating(n, `user${n % 3}`)),
  )
  await processAll({ topic, members, limits })
  const before = judge(await gather(doctored(topic)))
  expect(before.filter(({ level }) => level === 'problem')).toEqual([])
  const told = (check: string, of: string) => before.find((one) => one.check === check && one.of === of)?.level
  expect([told('once', 'customer_signals'), told('table', 'signal_clocks'), told('deduplication', 'customer_signals')]).toEqual(['ok', 'ok', 'ok']) // prettier-ignore
  expect(before.some(({ of }) => of?.includes('tier-changes') === true || of === 'kpi_deltas')).toBe(false)
  await store.command('INSERT INTO customer_signals SELECT * FROM customer_signals LIMIT 1')
  await store.command('ALTER TABLE signal_clocks DELETE WHERE first_offset = 0 OR first_offset > 5 SETTINGS mutations_sync = 2')
  const problems = judge(await gather(doctored(topic))).filter(({ level }) => level === 'problem')
  expect(problems.map(({ check }) => check)).toEqual(expect.arrayContaining(['once', 'checkpoints covered']))
})

test('skip goes on past signals that nobody wants: what an owner inserted beyond its checkpoint goes, the rest is there once', async () => {
  const { topic, store, members, send } = await newTopic('skip')
  await send(
    0,
    Array.from({ length: 7 }, (_, n) => rating(n, `user${n % 3}`)),
  )
  await processAll({ topic, members, limits })
  const checkpoint = (await log.describeTopic(topic))!.partitions[0]!.end
  await send(
    100,
    Array.from({ length: 10 }, (_, n) => rating(100 + n, `user${n % 3}`)),
  )
  await dieBeyondCheckpoint({ topic, members, limits })
  expect(await idsIn(store)).toHaveLength(17)

  const place = { log, store, topic, group: 'reelpulse', changelog: changelogOf(topic) }
  const to = checkpoint + 4
  const gap = (await findGap(place, 0, to))!
  expect(gap).toMatchObject({ from: checkpoint, to, orphans: { customer_signals: 10, rejected_events: 0 } })
  expect(gap.orphans['signal_clocks']).toBeGreaterThan(1)
  await skip(place, gap, { settings: defaultSettings, newId: () => crypto.randomUUID(), now: () => startMs })
  expect(await idsIn(store)).toHaveLength(7)
  // Ids that were seen before are still known.
  await send(200, [rating(0, 'user0'), rating(200, 'user0')])
  await processAll({ topic, members, limits })
  const ids = await idsIn(store)
  expect(ids).toHaveLength(7 + 6 + 1)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.some((offset) => offset >= checkpoint && offset < to)).toBe(false)
  expect(await findGap(place, 0)).toBeUndefined()
})

test('beside behaviour, in one program, /metrics tells of signals under names of their own', async () => {
  const { topic, store, send } = await newTopic('metrics')
  const messages = logger('signals', { level: 'silent' })
  const monitoring = await openMonitoring({ serve: { host: '127.0.0.1', port: 0 }, logger: messages })
  onTestFinished(monitoring.close)
  const { signal } = new AbortController()
  monitoring.beginProcess({ log, store, topic: 'metrics' })
  await send(0, [rating(0, 'ann'), rating(0, 'ann'), rating(1, 'ben')])
  const started = await startSignals({
    log, store, topic, group: 'reelpulse', operators: defaultSettings, blockSpanS: 0.3, checkpointS: 0.5, logger: messages, monitoring, signal,
  }) // prettier-ignore
  const shown = async () => (await (await fetch(`${monitoring.url()}/metrics`)).text()).split('\n').filter((line) => line.startsWith('reelpulse_signals_')) // prettier-ignore
  await soon(shown).toEqual(expect.arrayContaining([
    'reelpulse_signals_events_total{partition="0"} 2', 'reelpulse_signals_duplicates_total{partition="0"} 1', 'reelpulse_signals_lag_records{partition="0"} 0',
    'reelpulse_signals_inserted_rows_total{table="customer_signals"} 2',
  ])) // prettier-ignore
  await started!.role.stop()
})

const current = encodeAs(customerSignal, rating(0, 'ann'))
/** Under a fingerprint that nobody knows, until `learned` does. */
const unknown = (value: Uint8Array) => value.map((byte, i) => (i === 4 ? byte ^ 0xff : byte))
const learned: ReturnType<typeof knownSignals> = (value) => (value[4] === (current[4]! ^ 0xff) ? unknown(value) : knownSignals()(value))

test('replay sends rejected signals again once their schema is known, each once, however often it is run', async () => {
  const { topic, store, members, send } = await newTopic('replay')
  await send(0, [rating(0, 'ann'), rating(1, 'ben')])
  await send(10, [rating(10, 'ann'), rating(11, 'ben'), rating(1, 'ben'), rating(12, 'cat', { score: 99 })], unknown)
  await processAll({ topic, members, limits })
  expect(await store.query('SELECT reason, count() AS n FROM rejected_events GROUP BY reason')).toEqual([
    { reason: 'unknown_schema', n: 4 },
  ])

  const again = () =>
    replay({
      log, store, topic, names: { changelog: changelogOf(topic), rejected: rejectedTopicOf(topic) }, settings: defaultSettings, resolve: learned,
      clock: systemClock, source: { kind: 'rejected', filter: { reasons: undefined, sinceMs: -Infinity, untilMs: Infinity } }, dryRun: false, waitMs: undefined,
      signal: new AbortController().signal,
    }) // prettier-ignore
  const first = await again()
  expect(first).toMatchObject({ state: 'done', figures: { records: 4, eventsAppended: 2, eventsAlreadyThere: 1, stillRejected: { out_of_range: 1 } } }) // prettier-ignore
  await processAll({ topic, members, limits, resolve: learned })
  expect(await store.query('SELECT user_id, count() AS n FROM customer_signals GROUP BY user_id ORDER BY user_id')).toEqual([{ user_id: 'ann', n: 2 }, { user_id: 'ben', n: 2 }]) // prettier-ignore
  // With the time at which they came at first.
  expect(await store.query('SELECT count() AS n FROM customer_signals WHERE event_at = fromUnixTimestamp64Milli({at:Int64})', { at: startMs + 10_000 })).toEqual([{ n: 1 }]) // prettier-ignore
  expect((await again()).figures).toMatchObject({ eventsAppended: 0, eventsAlreadyThere: 3 })
})
