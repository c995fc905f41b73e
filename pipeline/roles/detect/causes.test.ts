import { expect, onTestFinished, test } from 'vitest'
import { randomOf } from '../../../operators/testing/planted-leaves.ts'
import { eventsTable, type EventRow } from '../../../schemas/tables/events.ts'
import { callbackNotifier } from '../../adapters/callback-notifier.ts'
import { logger } from '../../log/logger.ts'
import type { Notification, Notifier } from '../../ports/notifier.ts'
import { StoreAway, type Store } from '../../ports/store.ts'
import { soon } from '../../testing/soon.ts'
import { insertRows, madeEvents } from '../../verify/hand-made.ts'
import { newDetection } from '../detect.ts'
import { delivery } from './delivery.ts'
import { deltaWriter, type MadeBlock, type MadeCell } from './hand-made.ts'
import { embeddedEngine } from '../../testing/embedded-parts.ts'

const { newStore } = await embeddedEngine('causes', { fsync: 'nothing' })
const bucketMs = 60_000
const log = logger('causes', { level: 'silent' })
const start = (Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000
const at = (minute: number) => start + minute * bucketMs
const settings = { topic: 'behavior-events', latenessMs: 120_000, zone: 'UTC' }

const values = {
  platform: ['ios', 'android'],
  channel: ['ad', 'kol', "it's"],
  region: ['CN-11', 'CN-12'],
  app_version: ['8.5.0', '8.6.0'],
  category: ['music', 'food', null],
  surface: ['feed', 'search'],
} as const
type Leaf = { readonly [D in keyof typeof values]: (typeof values)[D][number] }

type World = {
  /** What is left of a leaf's completions. */
  left?: (leaf: Leaf, minute: number) => number
  /** Of a leaf's plays, how many times as many. */
  traffic?: (leaf: Leaf, minute: number) => number
  rate?: (leaf: Leaf) => number
  as?: (event: EventRow) => EventRow
}

/** Plays of each minute in [from, to): about `playsPerLeaf` of each of the 144 leaves. */
const playsPerLeaf = 4
function eventsOf(
  from: number,
  to: number,
  { left = () => 1, traffic = () => 1, rate = () => 0.5, as = (event) => event }: World,
): EventRow[] {
  const random = randomOf(from + 1)
  const leaves = Object.entries(values).reduce<Partial<Leaf>[]>(
    (all, [dimension, of]) => all.flatMap((leaf) => of.map((value) => ({ ...leaf, [dimension]: value }))),
    [{}],
  ) as Leaf[]
  const made: Parameters<typeof madeEvents>[0][number][] = []
  for (let minute = from; minute < to; minute++)
    for (const leaf of leaves) {
      const mean = playsPerLeaf * traffic(leaf, minute)
      const plays = Math.floor(mean) + Number(random() < mean % 1)
      for (let i = 0; i < plays; i++) {
        const t = at(minute) + Math.floor(random() * bucketMs)
        const completes = random() < rate(leaf) * left(leaf, minute)
        made.push({
          ...leaf,
          t,
          clock_at: t,
          behavior: 'play',
          watch_ms: completes ? 10_000 : 1_000,
          duration_ms: 10_000,
          user_id: `u${made.length % 500}`,
        })
      }
    }
  return madeEvents(made, { content_id: 'c' }).map(as)
}

/** Sums that let `kpi of channel ad` (or of all) fire at minute 361, and be well again from `until` on; and every value, with too little to say. */
function blocksOf(from: number, to: number, cell: 'ad' | '', until: number): MadeBlock[] {
  return Array.from({ length: to - from }, (_, i) => {
    const minute = from + i
    const sums = (plays: number, rate: number) => ({ plays, completes: Math.round(plays * rate), events: plays })
    const rate = minute >= 360 && minute < until ? 0.3 : 0.5
    const cells: MadeCell[] = [
      { dimension: 'all', value: '', bucketAt: at(minute), sums: sums(9_000, cell === '' ? rate : 0.5) },
      { dimension: 'channel', value: 'ad', bucketAt: at(minute), sums: sums(2_000, cell === '' ? 0.5 : rate) },
      ...Object.entries(values).flatMap(([dimension, of]) =>
        of.flatMap((value): MadeCell[] =>
          value === null || value === 'ad'
            ? []
            : [{ dimension: dimension as 'channel', value, bucketAt: at(minute), sums: sums(100, 0.5) }],
        ),
      ),
    ]
    return { partition: 0, blockAt: at(minute + 1) + 10_000, cells }
  })
}

/** A test is not about how fast this machine is, but where it says so. */
function detectorOn(store: Store, notifiers: readonly Notifier[] = [], causesPatienceMs = 60_000) {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const { signal } = controller
  const deliveries = delivery(notifiers, { store, topic: settings.topic, log, signal, firstPauseMs: 1 })
  const detection = newDetection({ store, settings, log, signal, causesPatienceMs }, deliveries)
  return {
    ...detection,
    async settled() {
      await detection.settled()
      await deliveries.settled()
    },
  }
}

type CauseLine = { line: string }
/** `<revision> <verdict> <cell> <share>` of every row, as often as it is there. */
async function causesIn(store: Store): Promise<string[]> {
  const rows = await store.query<CauseLine>(
    `SELECT concat(toString(revision), ' ', toString(verdict), if(rank = 0, '', concat(' ', cell))) AS line FROM alert_causes ORDER BY alert_id, revision, rank`,
  )
  return rows.map(({ line }) => line)
}

const from = 300
/** The tables as they are when the clock is past minute `to`. */
async function fill(store: Store, world: World, cell: 'ad' | '', to = 364, until = 400): Promise<void> {
  await insertRows(
    store,
    eventsTable,
    eventsOf(from, to, world).map((event) => ({ ...event, block_at: at(to) })),
  )
  await deltaWriter(store, 1)(blocksOf(0, to, cell, until))
}

const falls = (isIn: (leaf: Leaf) => boolean, factor: number) => (leaf: Leaf, minute: number) => (minute >= 360 && isIn(leaf) ? factor : 1)

const incidents: [string, World, 'ad' | '', string[]][] = [
  ['one cell', { left: falls(({ channel }) => channel === 'ad', 0.5) }, 'ad', ['0 cells', '0 cells channel ad']],
  [
    'a cell of two dimensions',
    { left: falls(({ channel, app_version: version }) => channel === 'ad' && version === '8.6.0', 0.3) },
    'ad',
    ['0 cells', '0 cells channel ad, app_version 8.6.0'],
  ],
  [
    'two cells',
    { left: (leaf, m) => falls(({ channel }) => channel === 'ad', 0.3)(leaf, m) * falls(({ region }) => region === 'CN-12', 0.4)(leaf, m) },
    '',
    ['0 cells', '0 cells region CN-12', '0 cells channel ad'],
  ],
  ['everything', { left: falls(() => true, 0.6) }, '', ['0 everything', '0 everything everything']],
  [
    'the mix',
    {
      rate: ({ channel }) => (channel === 'ad' ? 0.2 : 0.7),
      traffic: ({ channel }, m) => (m < 360 ? 1 : channel === 'ad' ? 3 : 0.4),
    },
    '',
    ['0 mix'],
  ],
  ['nothing at all', {}, 'ad', ['0 unclear']],
]

test.each(incidents)('%s is found when the alert fires, before it is told, and is in the notification', async (_, world, cell, lines) => {
  const store = await newStore()
  await fill(store, world, cell)
  const told: Notification[] = []
  const remote: Notification[] = []
  const receiver: Notifier = { name: 'receiver', notify: (one) => Promise.resolve(void remote.push(one)) }
  const { poll, settled } = detectorOn(store, [callbackNotifier('test', (one) => told.push(one)), receiver])
  await poll()
  await settled()
  expect(await causesIn(store)).toEqual(lines)
  expect(told.map(({ state, causes }) => [state, causes === undefined])).toEqual([
    ['pending', true],
    ['firing', false],
  ])
  for (const { causes, attribution } of [told[1]!, remote[1]!]) {
    const verdict = lines[0]!.slice(2)
    expect(attribution).toMatchObject(verdict === 'unclear' ? { verdict } : { verdict, change: 'fall' })
    expect(causes!.map((cause) => `0 ${verdict} ${cause.cell}`)).toEqual(lines.slice(1))
  }
})

test('one cell has most of the fall, by its rate; the views show it', async () => {
  const store = await newStore()
  await fill(store, { left: falls(({ channel }) => channel === 'ad', 0.5) }, 'ad')
  await detectorOn(store).poll()
  const [whole, cause] = await store.query<Record<string, number> & { cell_values: Record<string, string>; window: number }>(
    `SELECT share, rate_effect, mix_effect, actual, expected, cell_values, leaves, baseline_windows, toInt64((window_to - window_from) / 60) AS window FROM alert_causes ORDER BY rank`,
  )
  expect(whole).toMatchObject({ share: 1, leaves: 144, window: 2, cell_values: {} })
  expect(whole!['actual']).toBeLessThan(whole!['expected']! * 0.9)
  expect(cause).toMatchObject({ cell_values: { channel: 'ad' } })
  expect(cause!['share']).toBeGreaterThan(0.8)
  expect(Math.abs(cause!['rate_effect']!)).toBeGreaterThan(Math.abs(cause!['mix_effect']!) * 5)
  for (const view of ['open_alerts', 'alert_history']) {
    const [row] = await store.query<{ causes_verdict: string; likely_causes: string }>(`SELECT causes_verdict, likely_causes FROM ${view}`)
    expect(row!.causes_verdict).toBe('cells')
    expect(row!.likely_causes).toMatch(/^channel ad \(\d+(\.\d)? %\)$/)
  }
})

test('it is looked at once more after fifteen minutes of log time, and when it is over', async () => {
  const store = await newStore()
  const write = deltaWriter(store, 1)
  const { poll } = detectorOn(store)
  const world = { left: falls(({ channel }) => channel === 'ad', 0.5) }
  const step = async (a: number, b: number) => {
    await insertRows(
      store,
      eventsTable,
      eventsOf(Math.max(a, from), b, world).map((event) => ({ ...event, block_at: at(b) })),
    )
    await write(blocksOf(a, b, 'ad', 382))
    await poll()
  }
  await step(0, 364)
  expect(await causesIn(store)).toEqual(['0 cells', '0 cells channel ad'])
  await step(364, 378)
  expect(await causesIn(store)).toHaveLength(2)
  await step(378, 379)
  await soon(() => causesIn(store)).toEqual(['0 cells', '0 cells channel ad', '1 cells', '1 cells channel ad'])
  await step(379, 390)
  expect((await causesIn(store)).slice(4)).toEqual(['2 cells', '2 cells channel ad'])
  const [row] = await store.query<{ minutes: number[] }>(
    'SELECT groupArray(minutes) AS minutes FROM (SELECT toInt64((window_to - window_from) / 60) AS minutes FROM alert_causes WHERE rank = 0 ORDER BY revision)',
  )
  expect(row!.minutes).toEqual([2, 17, 20])
})

/** The question for leaves meets `how`; all others are answered. */
const troubled = (store: Store, how: () => Promise<never>): Store => ({
  ...store,
  query: (sql, params) => (sql.includes('base64Encode') ? how() : store.query(sql, params)),
})
const patienceMs = 300
const hang = () => new Promise<never>(() => {})

test.each([
  ['fails', () => Promise.reject(new StoreAway('TIMEOUT_EXCEEDED'))],
  ['hangs', hang],
])('an attribution that %s neither loses nor delays the alert, and is made up for', async (_, how) => {
  const store = await newStore()
  await fill(store, { left: falls(({ channel }) => channel === 'ad', 0.5) }, 'ad')
  const told: { state: string; causes: unknown }[] = []
  const notifier = callbackNotifier('test', ({ state, causes }) => told.push({ state, causes }))
  await detectorOn(troubled(store, how), [notifier], patienceMs).poll()
  expect(told.map(({ state, causes }) => [state, causes])).toEqual([
    ['pending', undefined],
    ['firing', undefined],
  ])
  expect(await causesIn(store)).toEqual([])
  await detectorOn(store).poll()
  await soon(() => causesIn(store)).toEqual(['0 cells', '0 cells channel ad'])
})

test('many alerts at once wait no longer than one for attributions that hang', async () => {
  const store = await newStore()
  const cells = (minute: number): MadeCell[] =>
    Array.from({ length: 6 }, (_, i) => {
      const rate = minute >= 360 ? 0.3 : 0.5
      return { dimension: 'channel', value: `c${i}`, bucketAt: at(minute), sums: { plays: 2_000, completes: 2_000 * rate, events: 2_000 } }
    })
  await deltaWriter(
    store,
    1,
  )(Array.from({ length: 364 }, (_, minute) => ({ partition: 0, blockAt: at(minute + 1) + 10_000, cells: cells(minute) })))
  const fired: string[] = []
  let asked = 0
  const countedHang = () => {
    asked++
    return hang()
  }
  const notifier = callbackNotifier('test', ({ state, value }) => state === 'firing' && fired.push(value))
  await detectorOn(troubled(store, countedHang), [notifier], patienceMs).poll()
  expect(fired).toHaveLength(6)
  // The second has the quarter that the first left.
  expect(asked).toBeLessThanOrEqual(2)
})

const rows = 'SELECT * FROM alert_causes ORDER BY alert_id, revision, rank'

test('a death between the causes and the alert, and two detectors at once, leave the same rows once', async () => {
  const world = { left: falls(({ channel }) => channel === 'ad', 0.5) }
  const [undisturbed, killed, shared] = [await newStore(), await newStore(), await newStore()]
  for (const store of [undisturbed, killed, shared]) await fill(store, world, 'ad')
  await detectorOn(undisturbed).poll()
  const wanted = await undisturbed.query(rows)
  expect(wanted).toHaveLength(2)

  const crash = new Error('crash')
  const dying: Store = {
    ...killed,
    insert: (block) => (block.token.startsWith('alerts/') && block.token.endsWith('/1') ? Promise.reject(crash) : killed.insert(block)),
  }
  await expect(detectorOn(dying).poll()).rejects.toBe(crash)
  expect(await killed.query('SELECT state FROM alerts')).toHaveLength(1)
  // What comes late in the meantime is not of what was known then.
  const late = eventsOf(360, 362, { left: () => 0 }).map((event) => ({ ...event, clock_at: at(364), block_at: at(364) }))
  await insertRows(killed, eventsTable, late)
  await detectorOn(killed).poll()
  expect(await killed.query(rows)).toEqual(wanted)

  await Promise.all([detectorOn(shared).poll(), detectorOn(shared).poll()])
  expect(await shared.query(rows)).toEqual(wanted)
})

const odd: [string, World, string][] = [
  ['a quote', { left: falls(({ channel }) => channel === "it's", 0.4) }, "channel it's"],
  ['no category', { left: falls(({ category }) => category === null, 0.4) }, 'category (none)'],
  [
    'many values that no list has',
    {
      left: falls(({ region }) => region === 'CN-12', 0.4),
      as: (event) => (event.region === 'CN-12' ? { ...event, region: `x${Math.round(event.watch_ms! + event.offset)}` } : event),
    },
    'region other',
  ],
  [
    'an empty value',
    {
      left: falls(({ channel }) => channel === 'kol', 0.4),
      as: (event) => (event.channel === 'kol' ? { ...event, channel: '' } : event),
    },
    'channel other',
  ],
]
test.each(odd)('%s in a dimension is named as it counts', async (_, world, cell) => {
  const store = await newStore()
  await fill(store, world, '')
  await detectorOn(store).poll()
  expect(await causesIn(store)).toEqual(['0 cells', `0 cells ${cell}`])
})
