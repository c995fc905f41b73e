import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { alertStates, type AlertState } from '../../../schemas/tables/alerts.ts'
import { alertmanagerNotifier, postedAlert, type PostedAlert } from '../../adapters/alertmanager-notifier.ts'
import { webhookBody, webhookNotifier } from '../../adapters/webhook-notifier.ts'
import { logger } from '../../log/logger.ts'
import { NotTaken, type Notification, type Notifier } from '../../ports/notifier.ts'
import { StoreAway, type Store } from '../../ports/store.ts'
import { missingAlertmanager, startAlertmanager } from '../../testing/alertmanager.ts'
import { startReceiver, type ReceiverAnswer } from '../../testing/receiver.ts'
import { soon } from '../../testing/soon.ts'
import { causesInsert, type Found } from './cause-rows.ts'
import { delivery } from './delivery.ts'
import { alertTopic, madeTransition, storeAlert } from './hand-made-alerts.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'

const { engine, newStore } = await embeddedEngine('delivery', { fsync: 'nothing' })
const log = logger('delivery', { level: 'silent' })
const minute = 60_000
const start = Math.floor(Date.now() / minute) * minute - 30 * minute
const missing = await missingAlertmanager()

/** A delivering process of its own, as far as the tables can tell; `stop` ends it. */
function deliverer(store: Store, notifiers: readonly Notifier[], more: { now?: () => number } = {}) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const counted = { taken: 0, failed: 0, parked: 0, owed: -1 }
  const watch = {
    delivered: (_: string, outcome: 'taken' | 'failed' | 'parked') => void counted[outcome]++,
    owed: (_: string, count: number) => void (counted.owed = count),
  }
  const deliveries = delivery(notifiers, { store, topic: alertTopic, log, signal: controller.signal, firstPauseMs: 5, watch, ...more })
  return {
    ...deliveries,
    counted,
    async stop() {
      controller.abort()
      await deliveries.settled()
    },
  }
}

const life: readonly AlertState[] = ['pending', 'firing', 'recovering', 'resolved']
async function storeLife(store: Store, value: string, states = life, begunAt = start): Promise<Notification[]> {
  const told = []
  for (const [sequence, state] of states.entries()) told.push(await storeAlert(store, madeTransition(value, begunAt, sequence, state)))
  return told
}

/** Takes everything, and remembers it. */
function recorder(name = 'recorder', before: (one: Notification, told: Notification[]) => void = () => {}) {
  const told: Notification[] = []
  const notifier: Notifier = {
    name,
    notify(one) {
      try {
        before(one, told)
      } catch (error) {
        return Promise.reject(error as Error)
      }
      told.push(one)
      return Promise.resolve()
    },
  }
  return { notifier, told, states: () => told.map(({ value, state }) => `${value} ${state}`) }
}

test('a restart sends what was not acknowledged, and nothing else', async () => {
  const store = await newStore()
  await storeLife(store, 'ad', ['pending', 'firing'])
  const first = recorder()
  const one = deliverer(store, [first.notifier])
  await one.settled()
  await one.stop()
  expect(first.states()).toEqual(['ad pending', 'ad firing'])

  await storeAlert(store, madeTransition('ad', start, 2, 'recovering'))
  const second = recorder()
  await deliverer(store, [second.notifier]).settled()
  expect(second.states()).toEqual(['ad recovering'])
  expect(second.told[0]!.alertId).toBe(first.told[0]!.alertId)
})

const unclear: Found = {
  explanation: { kind: 'nothing', because: 'there are no events of it in the window', leaves: 0 },
  leftOut: [], unit: { effects: 1, counts: 1 }, windows: { from: start, length: minute, step: minute, before: 60 }, knownAt: start + 4 * minute,
} // prettier-ignore
const global: Found = {
  ...unclear,
  explanation: {
    kind: 'explained', leaves: 10, windows: 30,
    attribution: {
      verdict: 'everything', ranked: [],
      whole: { numerator: -0.2, denominator: 0, rate: -0.2, mix: 0, baseline: 0.5, actual: 0.3, change: -0.2 },
      causes: [{ cell: {}, depth: 0, share: 1, effects: { numerator: -0.2, denominator: 0, rate: -0.2, mix: 0 }, score: 9, actual: 3, expected: 5 }],
    },
  },
} // prettier-ignore

test('each message has the causes that are known when it is sent, and a receiver that is told anew the latest', async () => {
  const store = await newStore()
  const posted: PostedAlert[] = []
  const refreshed: Notifier = {
    name: 'refreshed',
    notify: () => Promise.resolve(),
    refresh: { everyMs: 20, notify: (all) => Promise.resolve(void posted.push(...all.map((one) => postedAlert(one, start)))) },
  }
  const { notifier, told } = recorder()
  const one = deliverer(store, [notifier, refreshed])
  const [, firing] = await storeLife(store, 'ad', ['pending', 'firing'])
  one.send(firing!)
  await soon(() => told.length).toBe(2)
  await soon(() => posted.length).toBeGreaterThan(0)
  expect(posted[0]!.annotations).not.toHaveProperty('cause')
  await store.insert(causesInsert(firing!.alertId, 'firing', unclear))
  await store.insert(causesInsert(firing!.alertId, 'later', global))
  await soon(() => posted.at(-1)!.annotations['cause']).toBe('everything fell alike, no part of it more than the rest')
  one.send(await storeAlert(store, madeTransition('ad', start, 2, 'recovering')))
  await soon(() => told.length).toBe(3)
  expect(told.map(({ attribution }) => attribution?.verdict)).toEqual([undefined, undefined, 'everything'])
  expect(webhookBody(told[2]!)).toMatchObject({ causes: [{ cell: 'everything', share: 1 }], causes_verdict: 'everything' })
})

test('what another detector stored, and did not live to deliver, is found without being told', async () => {
  const store = await newStore()
  const { notifier, states } = recorder()
  const { settled } = deliverer(store, [notifier])
  await settled()
  await storeLife(store, 'ad', ['pending', 'firing'])
  await soon(states).toEqual(['ad pending', 'ad firing'])
})

test('a receiver that is new hears of what is open, and not of last week', async () => {
  const store = await newStore()
  await storeLife(store, 'old', life, start - 7 * 86_400_000)
  await storeLife(store, 'open', ['pending', 'firing'], start - 86_400_000)
  await storeLife(store, 'recent')
  const { notifier, states } = recorder()
  await deliverer(store, [notifier]).settled()
  expect(states().filter((line) => !line.startsWith('recent'))).toEqual(['open pending', 'open firing'])
  expect(states()).toHaveLength(6)
})

test('one that was refused for good is parked, and the next ones go on; a start tries it once more, unless a later one was taken', async () => {
  const store = await newStore()
  await storeLife(store, 'ad', ['pending', 'firing'])
  await storeLife(store, 'kol', ['pending', 'firing', 'recovering'])
  const refuse = (one: Notification) => {
    if (one.state === 'firing') throw new NotTaken('hooks.example answered 422', 0)
  }
  const first = recorder('hook', refuse)
  const one = deliverer(store, [first.notifier])
  await one.settled()
  await one.stop()
  expect(one.counted).toEqual({ taken: 3, failed: 0, parked: 2, owed: 0 })
  expect(await store.query("SELECT count() AS n FROM alert_deliveries WHERE outcome = 'parked' AND error LIKE '%422%'")).toEqual([{ n: 2 }])

  const second = recorder('hook')
  await deliverer(store, [second.notifier]).settled()
  expect(second.states()).toEqual(['ad firing'])
})

test('a mistake at the receiver’s end is waited for, for an hour, then parked', async () => {
  const store = await newStore()
  await storeLife(store, 'ad', ['pending'])
  let aheadMs = 0
  let tries = 0
  const { notifier } = recorder('hook', () => {
    tries++
    aheadMs += 20 * minute
    throw new NotTaken('hooks.example answered 401', 60 * minute)
  })
  const { settled, counted } = deliverer(store, [notifier], { now: () => Date.now() + aheadMs })
  await settled()
  expect(tries).toBeGreaterThan(3)
  expect(counted).toMatchObject({ taken: 0, parked: 1 })
})

test('transitions of one cell never overtake each other, also those of two alerts', async () => {
  const store = await newStore()
  const [first] = await storeLife(store, 'ad')
  await storeLife(store, 'ad', ['pending', 'firing'], start + 10 * minute)
  let failures = 0
  const { notifier, states } = recorder('hook', ({ alertId }) => {
    if (alertId === first!.alertId && failures++ % 3 < 2) throw new Error('503')
  })
  await deliverer(store, [notifier]).settled()
  expect(states()).toEqual(['ad pending', 'ad firing', 'ad recovering', 'ad resolved', 'ad pending', 'ad firing'])
})

test('while the store is away nothing is delivered twice, and what was is recorded later', async () => {
  const store = await newStore()
  await storeLife(store, 'ad', ['pending', 'firing'])
  let away = 3
  const flaky: Store = {
    ...store,
    insert: (block) => (block.token.includes('/taken') && away-- > 0 ? Promise.reject(new StoreAway('away')) : store.insert(block)),
  }
  const { notifier, states } = recorder()
  await deliverer(flaky, [notifier]).settled()
  expect(states()).toEqual(['ad pending', 'ad firing'])
  expect(await store.query("SELECT count() AS n FROM alert_deliveries WHERE outcome = 'taken'")).toEqual([{ n: 2 }])
})

const faults: [string, ReceiverAnswer, number | undefined][] = [
  ['hangs', 'hang', undefined],
  ['answers 500', 500, undefined],
  ['answers 429', 429, undefined],
  ['redirects', 307, undefined],
  ['refuses', 422, 0],
]
test.each(faults)('a receiver that %s stops no other', async (_, answer, patience) => {
  const store = await newStore()
  const [ill, well] = [await startReceiver(() => answer), await startReceiver(() => 'endless')]
  onTestFinished(() => Promise.all([ill.close(), well.close()]).then(() => {}))
  await storeLife(store, 'ad')
  const { counted, stop } = deliverer(store, [webhookNotifier(ill.url), webhookNotifier(well.url)])
  await soon(() => well.taken().map(({ body }) => body['state'])).toEqual(life)
  await soon(() => ill.got.length).toBeGreaterThan(0)
  if (patience === 0) await soon(() => counted.parked).toBe(4)
  else expect(ill.got.every(({ body }) => body['state'] === 'pending')).toBe(true)
  await ill.close()
  await stop()
})

test('the signature is over the body and the time, and new with each try', async () => {
  const store = await newStore()
  const receiver = await startReceiver((count) => (count === 0 ? 503 : 200))
  onTestFinished(receiver.close)
  await storeLife(store, 'ad', ['pending'])
  let nowMs = 1_700_000_000_000
  const now = () => (nowMs += 1_000)
  await deliverer(store, [webhookNotifier(receiver.url, { secret: 's3cret', now })]).settled()
  const [first, second] = receiver.got.map(({ headers }) => String(headers['reelpulse-signature']))
  expect(first).toMatch(/^t=1700000001,v1=[0-9a-f]{64}$/)
  expect(second).toMatch(/^t=1700000002,v1=/)
  expect(second!.slice(-64)).not.toBe(first!.slice(-64))
})

describe.skipIf(missing)(`a real Alertmanager${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('an alert fires there once, holds, and is resolved; what was only suspected never comes', async () => {
    const sentOn = await startReceiver()
    const alertmanager = await startAlertmanager(sentOn.url)
    onTestFinished(() => Promise.all([alertmanager.stop(), sentOn.close()]).then(() => {}))
    const store = await newStore()
    const boardLink = () => 'http://localhost:3000/d/board?from=1'
    const one = deliverer(store, [alertmanagerNotifier(alertmanager.url, { boardLink, refreshMs: 50 })])
    await storeLife(store, 'suspected', ['pending', 'resolved'].slice(0, 1) as AlertState[])
    one.send((await storeLife(store, 'ad', ['pending', 'firing']))[1]!)
    await soon(alertmanager.alerts).toMatchObject([
      {
        labels: {
          alertname: 'KpiAlert',
          kpi: 'completion_rate',
          dimension: 'channel',
          value: 'ad',
          severity: 'warning',
          topic: alertTopic,
        },
        annotations: { summary: 'completion_rate of channel ad is 40 % below its baseline', board: boardLink() },
        generatorURL: boardLink(),
        startsAt: new Date(start + 4 * minute).toISOString(),
      },
    ])
    const [held] = await alertmanager.alerts()
    expect(Date.parse(held!.endsAt) - Date.now()).toBeGreaterThan(23 * 3_600_000)
    // Said anew, without anything that has happened.
    await soon(async () => (await alertmanager.alerts())[0]!.endsAt > held!.endsAt).toBe(true)

    one.send(await storeAlert(store, madeTransition('ad', start, 2, 'resolved')))
    await soon(alertmanager.alerts).toEqual([])
    type Sent = { status: string; alerts: { fingerprint: string }[] }
    const sent = () => sentOn.got.map(({ body }) => body as unknown as Sent)
    await soon(() => sent().map(({ status }) => status)).toEqual(['firing', 'resolved'])
    expect(new Set(sent().flatMap(({ alerts }) => alerts.map(({ fingerprint }) => fingerprint))).size).toBe(1)
  })

  test('two detectors give one alert; what one says late, the other puts right', async () => {
    const alertmanager = await startAlertmanager()
    onTestFinished(alertmanager.stop)
    const store = await newStore()
    const notifier = () => alertmanagerNotifier(alertmanager.url, { refreshMs: 50 })
    const [one, other] = [deliverer(store, [notifier()]), deliverer(store, [notifier()])]
    const [, firing] = await storeLife(store, 'ad', ['pending', 'firing'])
    one.send(firing!)
    other.send(firing!)
    await Promise.all([one.settled(), other.settled()])
    expect(await alertmanager.alerts()).toHaveLength(1)
    one.send(await storeAlert(store, madeTransition('ad', start, 2, 'resolved')))
    await soon(alertmanager.alerts).toEqual([])
    // A third, that had stood still, wakes up and says what was true then.
    await notifier().notify(firing!)
    await soon(alertmanager.alerts).toEqual([])
  })

  test('an Alertmanager that has forgotten everything is told again', async () => {
    const alertmanager = await startAlertmanager()
    const store = await newStore()
    await storeLife(store, 'ad', ['pending', 'firing'])
    let url = alertmanager.url
    const following: Notifier = {
      name: 'alertmanager',
      notify: (one) => alertmanagerNotifier(url).notify(one),
      refresh: { everyMs: 50, notify: (all) => alertmanagerNotifier(url).refresh!.notify(all) },
    }
    await deliverer(store, [following]).settled()
    expect(await alertmanager.alerts()).toHaveLength(1)
    await alertmanager.stop()
    const another = await startAlertmanager()
    onTestFinished(another.stop)
    url = another.url
    await soon(another.alerts).toHaveLength(1)
  })

  test('kill -9 at random moments: nothing is lost, nothing doubled, nothing out of order', async () => {
    // Of the webhook's answers, some are lost, some are errors; the Alertmanager is a real one.
    let state = Number(process.env['SEED'] ?? 7)
    const random = () => (state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296) / 4_294_967_296
    const hook = await startReceiver(() => (random() < 0.15 ? 500 : random() < 0.15 ? 'lose' : 200))
    const alertmanager = await startAlertmanager()
    onTestFinished(() => Promise.all([alertmanager.stop(), hook.close()]).then(() => {}))
    const database = 'delivery_killed'
    const store = await newStore(database)
    const program = fileURLToPath(new URL('../../testing/delivering.ts', import.meta.url))
    const { user, password } = engine.owner()
    const begin = async () => {
      const child = fork(program, [engine.url(), database, hook.url, alertmanager.url], {
        env: { ...process.env, CLICKHOUSE_USER: user, CLICKHOUSE_PASSWORD: password },
      })
      await once(child, 'message')
      return child
    }
    const cells = Array.from({ length: 8 }, (_, i) => `cell-${i}`)
    const expected = new Map<string, number>()
    let child = await begin()
    onTestFinished(() => void child.kill('SIGKILL'))
    for (const [sequence, of] of alertStates.entries())
      for (const value of cells) {
        // The last two stay firing.
        if (of === 'resolved' && value >= 'cell-6') continue
        const { alertId } = await storeAlert(store, madeTransition(value, start, sequence, of))
        expected.set(alertId, sequence)
        if (random() < 0.3) {
          await new Promise((resolve) => setTimeout(resolve, random() * 600))
          child.kill('SIGKILL')
          child = await begin()
        }
      }
    child.send('settle')
    await once(child, 'message')

    const takenOf = new Map<string, number[]>()
    for (const { body } of hook.taken()) {
      const { alert_id: id, sequence } = body as { alert_id: string; sequence: number }
      takenOf.set(id, [...(takenOf.get(id) ?? []), sequence])
    }
    expect(takenOf.size).toBe(cells.length)
    for (const [id, last] of expected) {
      // Each one at least once, and its first time after the first time of the one before.
      const firsts = [...new Set(takenOf.get(id))]
      expect(firsts, id).toEqual(Array.from({ length: last + 1 }, (_, i) => i))
    }
    await soon(async () =>
      (await alertmanager.alerts()).map(({ labels }) => labels['value'] ?? '').toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['cell-6', 'cell-7'])
  })
})
