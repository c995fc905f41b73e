import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { callbackNotifier } from '../adapters/callback-notifier.ts'
import { webhookNotifier } from '../adapters/webhook-notifier.ts'
import { logger } from '../log/logger.ts'
import type { Notification, Notifier } from '../ports/notifier.ts'
import type { Store } from '../ports/store.ts'
import { detect, newDetection } from './detect.ts'
import { delivery } from './detect/delivery.ts'
import { madeTransition, storeAlert } from './detect/hand-made-alerts.ts'
import { bucketMs, deltaWriter, type MadeBlock, type MadeCell } from './detect/hand-made.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const { newStore } = await embeddedEngine('detect', { fsync: 'nothing' })
const log = logger('detect', { level: 'silent' })
// Of late, for the table forgets what is older than 40 days.
const start = (Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000
const at = (minute: number) => start + minute * bucketMs
const settings = { topic: 'behavior-events', latenessMs: 120_000, zone: 'Asia/Shanghai' }

type Shape = (minute: number) => Record<string, { rate: number; plays?: number } | undefined>

/** Blocks of two partitions, one a minute, ten seconds after its end: each has half of the minute's plays. */
function blocksOf(from: number, to: number, shape: Shape, partitions = [0, 1]): MadeBlock[] {
  const blocks = []
  for (let minute = from; minute < to; minute++)
    for (const partition of partitions) {
      const cells = Object.entries(shape(minute)).flatMap(([name, made]): MadeCell[] => {
        if (made === undefined) return []
        const plays = (made.plays ?? 2_000) / 2
        const sums = { plays, completes: Math.round(plays * made.rate), events: plays }
        return [{ dimension: name === '' ? 'all' : 'channel', value: name, bucketAt: at(minute), sums }]
      })
      blocks.push({ partition, blockAt: at(minute + 1) + 10_000, cells })
    }
  return blocks
}

const normal = { rate: 0.5 }
const low = { rate: 0.3 }

/** A detector as the role has it, that is polled by hand. */
function detectorOn(store: Store, notifiers: readonly Notifier[] = []) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  const deliveries = delivery(notifiers, { store, topic: settings.topic, log, signal, firstPauseMs: 1 })
  const detection = newDetection({ store, settings, log, signal }, deliveries)
  return {
    ...detection,
    async settled() {
      await detection.settled()
      await deliveries.settled()
    },
  }
}

type AlertLine = { line: string; alert_id: string; fired_ms: number; due_ms: number }

/** `<minute> <cell> <state>` of every row of alerts, as often as it is there. */
async function alertsIn(store: Store): Promise<string[]> {
  const rows = await store.query<AlertLine>(
    `SELECT concat(toString(intDiv(toUnixTimestamp64Milli(bucket_at) - {start:Int64}, 60000)), ' ', dimension, ':', value, ' ', state) AS line
     FROM alerts ORDER BY bucket_at, dimension, value, sequence`,
    { start },
  )
  return rows.map(({ line }) => line)
}

test('six hours at once, a drop, and its end: one alert that fires once and resolves once', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  const told: Notification[] = []
  const { poll, settled } = detectorOn(store, [callbackNotifier('test', (notification) => told.push(notification))])
  const shape: Shape = (m) => ({ '': { rate: 0.5, plays: 9_000 }, ad: m >= 360 && m < 370 ? low : normal, kol: normal })

  await write(blocksOf(0, 360, shape))
  await poll()
  expect(await alertsIn(store)).toEqual([])
  for (let minute = 360; minute < 400; minute += 5) {
    await write(blocksOf(minute, minute + 5, shape))
    await poll()
  }
  await settled()

  expect(await alertsIn(store)).toEqual([
    '360 channel:ad pending',
    '361 channel:ad firing',
    '370 channel:ad recovering',
    '372 channel:ad resolved',
  ])
  expect(told.map(({ sequence, state }) => [sequence, state])).toEqual([
    [0, 'pending'],
    [1, 'firing'],
    [2, 'recovering'],
    [3, 'resolved'],
  ])
  const [row] = await store.query<{ ids: number; due: string; baseline: number }>(
    `SELECT uniqExact(alert_id) AS ids, toString(max(due_at - toIntervalHour(72)) = max(fired_at)) AS due, max(baseline) AS baseline FROM alerts`,
  )
  expect(row).toEqual({ ids: 1, due: '1', baseline: 0.5 })
  expect(await store.query('SELECT * FROM open_alerts')).toEqual([])
})

test('it does not matter whether log time comes minute by minute or hours at once', async () => {
  const shape: Shape = (m) => ({ ad: (m >= 360 && m < 370) || m >= 400 ? low : normal, kol: m >= 365 ? { rate: 0.41 } : normal })
  const [stepwise, atOnce] = [await newStore(), await newStore()]
  const writeStepwise = deltaWriter(stepwise, 2)
  const one = detectorOn(stepwise)
  await writeStepwise(blocksOf(0, 355, shape))
  for (let minute = 355; minute < 420; minute++) {
    await writeStepwise(blocksOf(minute, minute + 1, shape))
    await one.poll()
  }
  await deltaWriter(atOnce, 2)(blocksOf(0, 420, shape))
  await detectorOn(atOnce).poll()

  const everything = 'SELECT * FROM alerts ORDER BY alert_id, sequence'
  const alerts = await atOnce.query(everything)
  expect(alerts.length).toBeGreaterThan(6)
  expect(await stepwise.query(everything)).toEqual(alerts)
})

test('a restart in the middle gives no second alert, wherever it comes', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  const shape: Shape = (m) => ({ ad: m >= 360 && m < 370 ? low : normal })
  await write(blocksOf(0, 355, shape))
  for (let minute = 355; minute < 380; minute++) {
    await write(blocksOf(minute, minute + 1, shape))
    await detectorOn(store).poll()
  }
  expect(await alertsIn(store)).toEqual([
    '360 channel:ad pending',
    '361 channel:ad firing',
    '370 channel:ad recovering',
    '372 channel:ad resolved',
  ])
})

test('after a crash between two transitions of one minute the other one is made up for', async () => {
  const store = await newStore()
  await deltaWriter(store, 2)(blocksOf(0, 370, (m) => ({ ad: m >= 360 ? low : normal, kol: m >= 360 ? low : normal })))
  const crash = new Error('crash')
  let inserts = 0
  const dying: Store = { ...store, insert: (block) => (++inserts > 1 ? Promise.reject(crash) : store.insert(block)) }
  await expect(detectorOn(dying).poll()).rejects.toBe(crash)
  expect(await alertsIn(store)).toEqual(['360 channel:ad pending'])
  await detectorOn(store).poll()
  expect(await alertsIn(store)).toEqual([
    '360 channel:ad pending',
    '360 channel:kol pending',
    '361 channel:ad firing',
    '361 channel:kol firing',
  ])
})

test('two detectors on the same tables leave every transition once', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  const shape: Shape = (m) => ({ ad: m >= 360 && m < 370 ? low : normal })
  const [one, other] = [detectorOn(store), detectorOn(store)]
  for (const [from, to] of [
    [0, 361],
    [361, 368],
    [368, 390],
  ] as const) {
    await write(blocksOf(from, to, shape)) // prettier-ignore
    await Promise.all([one.poll(), other.poll()])
  }
  expect(await alertsIn(store)).toHaveLength(4)
})

test('a minute that is not closed never fires, however low it is', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  const { poll } = detectorOn(store)
  const shape: Shape = (m) => ({ ad: m >= 360 ? low : normal })
  await write(blocksOf(0, 361, shape))
  await poll()
  // The clock is 10 s past minute 363: 361 ends two minutes before that, 362 one.
  await write(blocksOf(361, 363, shape))
  await poll()
  expect(await alertsIn(store)).toEqual(['360 channel:ad pending'])
  await write(blocksOf(363, 364, shape))
  await poll()
  expect(await alertsIn(store)).toEqual(['360 channel:ad pending', '361 channel:ad firing'])
})

test('a minute is closed only when every partition has passed it', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  const { poll } = detectorOn(store)
  const shape: Shape = (m) => ({ ad: m >= 360 ? { rate: 0.3, plays: 4_000 } : { rate: 0.5, plays: 4_000 } })
  await write(blocksOf(0, 400, shape, [0]))
  expect(await poll()).toBe(0)
  await write(blocksOf(0, 361, shape, [1]))
  await poll()
  expect(await alertsIn(store)).toEqual([])
  await write(blocksOf(361, 400, shape, [1]))
  await poll()
  expect(await alertsIn(store)).toEqual(['360 channel:ad pending', '361 channel:ad firing'])
})

test('a tiny cell never fires', async () => {
  const store = await newStore()
  await deltaWriter(store, 2)(blocksOf(0, 400, (m) => ({ ad: { rate: m >= 360 ? 0 : 0.5, plays: 498 }, kol: normal })))
  await detectorOn(store).poll()
  expect(await alertsIn(store)).toEqual([])
})

test('no data is an alert of its own, and never a drop', async () => {
  const store = await newStore()
  const silent = { rate: 0, plays: 0 }
  await deltaWriter(store, 2)(blocksOf(0, 400, (m) => ({ ad: m >= 360 && m < 380 ? undefined : normal, kol: m >= 370 ? silent : normal })))
  await detectorOn(store).poll()
  expect(await alertsIn(store)).toEqual([
    '360 channel:ad pending',
    '361 channel:ad firing',
    '370 channel:kol pending',
    '371 channel:kol firing',
    '380 channel:ad recovering',
    '382 channel:ad resolved',
  ])
  expect(await store.query('SELECT DISTINCT kpi FROM alerts')).toEqual([{ kpi: 'no_data' }])
})

test('what comes after a minute has closed does not change what was decided of it', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 2)
  await write(blocksOf(0, 382, () => ({ ad: normal })))
  const late = [360, 361, 362].map((m): MadeCell => ({ dimension: 'channel', value: 'ad', bucketAt: at(m), sums: { plays: 50_000 } }))
  await write([{ partition: 0, blockAt: at(382) + 20_000, cells: late }, ...blocksOf(382, 390, () => ({ ad: normal }))])
  await detectorOn(store).poll()
  expect(await alertsIn(store)).toEqual([])
  // The views, which show what is known now, do count it.
  const [row] = await store.query<{ completion_rate: number; open: number }>(
    "SELECT completion_rate, open FROM kpi_minute WHERE dimension = 'channel' AND value = 'ad' AND bucket_at = fromUnixTimestamp64Milli({at:Int64})",
    { at: at(361) },
  )
  expect(row!.completion_rate).toBeLessThan(0.02)
})

test('after a pause of more than twelve hours it looks at the last twelve only', async () => {
  const store = await newStore()
  const hour = 60
  const dropsAt = [10 * hour, 16 * hour]
  const shape: Shape = (m) => ({ ad: dropsAt.some((from) => m >= from && m < from + 10) ? low : normal })
  await deltaWriter(store, 2)(blocksOf(0, 23 * hour, shape))
  await detectorOn(store).poll()
  expect((await alertsIn(store)).filter((line) => line.endsWith('firing'))).toEqual([`${16 * hour + 1} channel:ad firing`])
})

test('a webhook that fails gets the same notification again until it takes it', async () => {
  const store = await newStore()
  await deltaWriter(store, 2)(blocksOf(0, 380, (m) => ({ ad: m >= 360 ? low : normal })))
  const got: { headers: IncomingHttpHeaders; body: Record<string, unknown>; answered: number }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      const answered = [500, 302, 200][got.length] ?? 204
      got.push({ headers: request.headers, body: JSON.parse(text) as Record<string, unknown>, answered })
      response.writeHead(answered).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const { poll, settled } = detectorOn(store, [webhookNotifier(`http://127.0.0.1:${port}/hook?key=secret`)])
  await poll()
  await settled()

  expect(got.map(({ body, answered }) => [body['state'], answered])).toEqual([
    ['pending', 500],
    ['pending', 302],
    ['pending', 200],
    ['firing', 204],
  ])
  expect(new Set(got.slice(0, 3).map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  const { body, headers } = got[3]!
  expect(headers['idempotency-key']).toBe(`${String(body['alert_id'])}/1`)
  expect(body).toMatchObject({
    kpi: 'completion_rate', dimension: 'channel', value: 'ad', actual: 0.3, baseline: 0.5, denominator: 2_000,
    fired_at: new Date(at(362) + settings.latenessMs).toISOString(),
    due_at: new Date(at(362) + settings.latenessMs + 72 * 3_600_000).toISOString(),
  }) // prettier-ignore
})

test('an alert that is open at a restart is told again, under the same name', async () => {
  const store = await newStore()
  await deltaWriter(store, 2)(blocksOf(0, 380, (m) => ({ ad: m >= 360 ? low : normal })))
  const told: string[] = []
  const notifier = callbackNotifier('test', ({ alertId, sequence, state }) => told.push(`${alertId}/${sequence} ${state}`))
  for (let starts = 0; starts < 2; starts++) {
    const { poll, settled } = detectorOn(store, [notifier])
    await poll()
    await settled()
  }
  expect(told).toHaveLength(3)
  expect(told[2]).toBe(told[1])
})

test('a review that is overdue by log time is told like any alert, and the detector takes it for no alert of its own', async () => {
  const store = await newStore()
  const fourDays = 4 * 24 * 60
  for (const [sequence, state] of (['pending', 'firing', 'resolved'] as const).entries())
    await storeAlert(store, madeTransition('ad', at(360 - fourDays), sequence, state))
  await deltaWriter(store, 2)(blocksOf(0, 380, () => ({ ad: normal })))
  const told: string[] = []
  const notifier = callbackNotifier('test', ({ kind, state, value }) => told.push(`${kind} ${state} ${value}`))
  for (let starts = 0; starts < 2; starts++) await detectorOn(store, [notifier]).poll()
  expect(told).toEqual(['review_overdue firing ad'])
  expect(await store.query('SELECT toString(kind) AS kind, toString(review) AS review FROM open_alerts')).toEqual([
    { kind: 'review_overdue', review: 'open' },
  ])
})

/** A block an hour, of one partition, from 20 days ago on: sums of the hour, and with the last hour of a day of Shanghai those of the day. */
const hoursBack = 20 * 24
const firstHour = Math.floor(Date.now() / 3_600_000) * 3_600_000 - hoursBack * 3_600_000
function hourBlocks(from: number, to: number, lowHours: readonly number[], lowDay: number): MadeBlock[] {
  return Array.from({ length: to - from }, (_, i): MadeBlock => {
    const hour = from + i
    const bucketAt = firstHour + hour * 3_600_000
    const day = Math.floor((bucketAt + 8 * 3_600_000) / 86_400_000)
    const isLastOfDay = Math.floor((bucketAt + 9 * 3_600_000) / 86_400_000) > day
    const lastDay = Math.floor((firstHour + hoursBack * 3_600_000 + 8 * 3_600_000) / 86_400_000) - 1
    const of = (value: string, isLow: boolean): MadeCell[] => [
      { grain: 'hour', dimension: 'channel', value, bucketAt, sums: { events: 9_000, active_users: 4_000, buyers: isLow ? 240 : 480 + (hour % 5) } },
      ...(isLastOfDay
        ? [{
            grain: 'day', dimension: 'channel', value, bucketAt: day * 86_400_000 - 8 * 3_600_000,
            sums: { events: 90_000, active_users: 40_000, engaged_users: value === 'kol' && day === lastDay - lowDay ? 5_000 : 11_000 + (day % 3) * 100 },
          } as const]
        : []),
    ] // prettier-ignore
    return { partition: 0, blockAt: bucketAt + 3_600_000 + 130_000, cells: [...of('ad', lowHours.includes(hour)), ...of('kol', false)] }
  })
}

test('KPIs of hours and days are watched by the hour and by the day of the zone, whenever it runs, from deltas or what is left of them in cells', async () => {
  const lowHours = [hoursBack - 12, hoursBack - 11, hoursBack - 10]
  const everything = 'SELECT * FROM alerts ORDER BY alert_id, sequence'
  const [atOnce, stepwise] = [await newStore(), await newStore()]
  await deltaWriter(atOnce, 1)(hourBlocks(0, hoursBack, lowHours, 1))
  await detectorOn(atOnce).poll()
  const lines = await atOnce.query<{ line: string }>(
    `SELECT concat(toString(grain), ' ', kpi, ' ', value, ' ', toString(state), ' ', toString(intDiv(toUnixTimestamp64Milli(bucket_at) - {from:Int64}, 3600000))) AS line
     FROM alerts ORDER BY grain, kpi, value, sequence`,
    { from: firstHour },
  )
  expect(lines.filter(({ line }) => line.startsWith('hour')).map(({ line }) => line)).toEqual([
    `hour conversion_rate ad pending ${hoursBack - 12}`,
    `hour conversion_rate ad firing ${hoursBack - 11}`,
    `hour conversion_rate ad recovering ${hoursBack - 9}`,
    `hour conversion_rate ad resolved ${hoursBack - 7}`,
  ])
  // A day is not waited for a second; it begins at midnight in Shanghai.
  const days = lines.filter(({ line }) => line.startsWith('day'))
  expect(days[0]!.line).toMatch(/^day engaged_user_share kol firing \d+$/)
  expect((firstHour + Number(days[0]!.line.split(' ').at(-1)) * 3_600_000 + 8 * 3_600_000) % 86_400_000).toBe(0)

  const write = deltaWriter(stepwise, 1)
  let from = 0
  for (const to of [hoursBack - 80, hoursBack - 40, hoursBack - 11, hoursBack - 8, hoursBack]) {
    await write(hourBlocks(from, to, lowHours, 1))
    // What was rolled up before serves when its deltas have gone.
    if (from > 0)
      await stepwise.command(
        "DELETE FROM kpi_deltas WHERE dimension != 'clock' AND bucket_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')",
        { before: firstHour + (from - 30) * 3_600_000 },
      )
    from = to
    await detectorOn(stepwise).poll()
  }
  expect(await stepwise.query(everything)).toEqual(await atOnce.query(everything))
})

test('the role follows the log until it is told to stop', async () => {
  const store = await newStore()
  await deltaWriter(store, 2)(blocksOf(0, 380, (m) => ({ ad: m >= 360 ? low : normal })))
  const controller = new AbortController()
  const fired = Promise.withResolvers<Notification>()
  const notifiers = [callbackNotifier('test', (one) => one.state === 'firing' && fired.resolve(one))]
  const running = detect({ store, settings, notifiers, log, signal: controller.signal })
  expect((await fired.promise).value).toBe('ad')
  controller.abort()
  await running
})
