import { expect, test } from 'vitest'
import { databaseOf, defaultTopic } from '../config/names.ts'
import type { Store } from '../ports/store.ts'
import { runProgram } from '../cli/main.ts'
import { exitFinding, exitGood, exitUsage } from '../cli/command.ts'
import { deltaWriter, type MadeCell } from '../roles/detect/hand-made.ts'
import { alertTopic, madeTransition, storeAlert } from '../roles/detect/hand-made-alerts.ts'
import { causesInsert, type Found } from '../roles/detect/cause-rows.ts'
import { overdueReviews } from '../roles/detect/overdue.ts'
import { renderAlert } from './render.ts'
import { effectOf } from './effect.ts'
import { findAlert, listAlerts, showAlert, writeReview, type AlertSummary, type ReviewRequest } from './reviews.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const { dataDir, newStore } = await embeddedEngine('reviews', { fsync: 'nothing' })
const minute = 60_000
const hour = 60 * minute
const start = Math.floor(Date.now() / hour) * hour - 12 * hour

/** An alert that fires, on one channel; its id. */
async function fired(store: Store, value = 'ad', begunAt = start): Promise<AlertSummary> {
  await storeAlert(store, madeTransition(value, begunAt, 0, 'pending'))
  const { alertId } = await storeAlert(store, madeTransition(value, begunAt, 1, 'firing'))
  return known(store, alertId)
}
async function known(store: Store, id: string): Promise<AlertSummary> {
  const found = await findAlert(store, id)
  if (found.kind !== 'found') throw new Error(`${id} is ${found.kind}`)
  return found.value
}

const request = (of: Partial<ReviewRequest>): ReviewRequest => ({ action: 'note', by: 'lin', cause: '', strategy: '', text: '', ...of })

test('what is said last of an alert is what is known of it', async () => {
  const store = await newStore()
  const alert = await fired(store)
  expect(alert).toMatchObject({ review: 'open', state: 'firing', actual_at_firing: 0.3, baseline: 0.5 })
  const said: [Partial<ReviewRequest>, Partial<AlertSummary>][] = [
    [{ text: 'seen' }, { review: 'noted' }],
    [{ action: 'ack' }, { review: 'acknowledged', acknowledged_by: 'lin', acknowledged_at: 1_001 }],
    [
      { action: 'ack', by: 'wei' },
      { review: 'acknowledged', acknowledged_by: 'lin' },
    ],
    [{ cause: 'a guess' }, { review: 'reviewed', cause: 'a guess' }],
    [
      { cause: '8.6.0 stalls', strategy: 'rolled back', strategyAt: 77 },
      { cause: '8.6.0 stalls', strategy: 'rolled back', strategy_at: 77 },
    ],
    [
      { action: 'close', by: 'wei' },
      { review: 'closed', closed_by: 'wei', closed_at: 1_005, cause: '8.6.0 stalls', strategy_at: 77 },
    ],
  ]
  for (const [i, [what, expected]] of said.entries()) {
    expect(await writeReview(store, await known(store, alert.alert_id), request(what), 1_000 + i)).toBeUndefined()
    expect(await known(store, alert.alert_id)).toMatchObject(expected)
  }
  expect(await store.query('SELECT toString(review) AS review, cause FROM open_alerts')).toEqual([
    { review: 'closed', cause: '8.6.0 stalls' },
  ])
  expect((await showAlert(store, alert)).reviews.map(({ action }) => action)).toEqual(['note', 'ack', 'ack', 'note', 'note', 'close'])
})

test('what makes no sense is not written, and the reason is said', async () => {
  const store = await newStore()
  const alert = await fired(store)
  expect(await writeReview(store, alert, request({ action: 'close' }), 1)).toContain('no root cause is written yet')
  expect(await writeReview(store, alert, request({}), 1)).toContain('a note says something')
  expect(await writeReview(store, alert, request({ action: 'ack', by: '' }), 1)).toContain('who you are')
  expect(await writeReview(store, alert, request({ action: 'close', cause: 'found' }), 1)).toBeUndefined()
  expect(await writeReview(store, await known(store, alert.alert_id), request({ action: 'ack' }), 2)).toContain('closed already')
  expect(await store.query('SELECT count() AS n FROM alert_reviews')).toEqual([{ n: 1 }])
})

test('the same request twice is written once', async () => {
  const store = await newStore()
  const alert = await fired(store)
  const reviewId = '0b8e1c1e-6c9d-4a55-9d1c-1f2e3d4c5b6a'
  for (let i = 0; i < 2; i++) expect(await writeReview(store, alert, request({ text: 'once', reviewId }), 5)).toBeUndefined()
  expect((await showAlert(store, alert)).reviews).toHaveLength(1)
  expect(await writeReview(store, alert, request({ text: 'something else', reviewId }), 6)).toContain('with other words')
  // Also where the first time changed what may be written.
  const closing = request({ action: 'close', cause: 'found', reviewId: '1b8e1c1e-6c9d-4a55-9d1c-1f2e3d4c5b6a' })
  for (let i = 0; i < 2; i++) expect(await writeReview(store, await known(store, alert.alert_id), closing, 7)).toBeUndefined()
  expect((await showAlert(store, alert)).reviews).toHaveLength(2)
})

test('a list shows what is asked for, and a short id is enough where it names one alert', async () => {
  const store = await newStore()
  const open = await fired(store, 'ad')
  const over = await fired(store, 'kol', start + hour)
  await storeAlert(store, madeTransition('kol', start + hour, 2, 'resolved'))
  await storeAlert(store, madeTransition('never', start, 0, 'pending'))
  const ids = async (which: 'open' | 'unreviewed' | 'all') => (await listAlerts(store, { which, limit: 10 })).map(({ value }) => value)
  expect(await ids('open')).toEqual(['ad'])
  expect(await ids('unreviewed')).toEqual(['kol', 'ad'])
  await writeReview(store, over, request({ cause: 'found' }), 1)
  expect(await ids('unreviewed')).toEqual(['ad'])
  expect(await ids('all')).toEqual(['kol', 'ad'])
  expect(await findAlert(store, open.alert_id.slice(0, 8).toUpperCase())).toMatchObject({ kind: 'found', value: { value: 'ad' } })
  expect(await findAlert(store, '')).toMatchObject({ kind: 'ambiguous' })
  expect(await findAlert(store, 'ffffffff-0000-0000-0000-000000000000')).toEqual({ kind: 'unknown' })
})

test('a review that is overdue is an alert of its own, once; it ends with the review', async () => {
  const store = await newStore()
  const [forgotten, reviewed] = [await fired(store, 'ad'), await fired(store, 'kol')]
  await writeReview(store, reviewed, request({ cause: 'found' }), 1)
  const look = (nowMs: number) => overdueReviews(store, alertTopic).look(nowMs)
  const dueAt = forgotten.due_at
  expect(await look(dueAt - 1)).toEqual([])
  const told = await look(dueAt)
  expect(told).toMatchObject([
    { kind: 'review_overdue', state: 'firing', aboutId: forgotten.alert_id, value: 'ad', firedAt: dueAt, sequence: 0 },
  ])
  expect(told[0]!.reason).toContain(`reelpulse alert show ${forgotten.alert_id}`)
  // Another detector, and this one again.
  expect(await look(dueAt + hour)).toEqual([])
  expect(await listAlerts(store, { which: 'open', limit: 10 })).toHaveLength(3)
  const overdue = await known(store, told[0]!.alertId)
  expect(await writeReview(store, overdue, request({ action: 'ack' }), 1)).toContain(forgotten.alert_id)

  await writeReview(store, forgotten, request({ cause: 'found at last' }), 2)
  expect(await look(dueAt + 2 * hour)).toMatchObject([{ kind: 'review_overdue', state: 'resolved', sequence: 1, firedAt: dueAt }])
  expect(await look(dueAt + 3 * hour)).toEqual([])
  expect((await known(store, told[0]!.alertId)).state).toBe('resolved')
})

/** Twelve hours of minutes: channel ad is low for the first six; all channels rise by `shared` after six. */
async function writeHours(store: Store, shared: number): Promise<void> {
  const rates = (m: number): Record<string, number> => ({
    ad: 0.3 + (m >= 360 ? 0.15 + shared : 0), kol: 0.5 + (m >= 360 ? shared : 0), organic: 0.55 + (m >= 360 ? shared : 0), ill: 0.2,
  }) // prettier-ignore
  const blocks = Array.from({ length: 720 }, (_, m) => ({
    partition: 0,
    blockAt: start + (m + 1) * minute,
    cells: Object.entries({ ...rates(m), '': 0.45 }).map(([value, rate]): MadeCell => {
      const completes = Math.round(1_000 * (rate + 0.01 * Math.sin(m * (1 + value.length))))
      return { dimension: value === '' ? 'all' : 'channel', value, bucketAt: start + m * minute, sums: { plays: 1_000, completes } }
    }),
  }))
  await deltaWriter(store, 1)(blocks)
}

test('the effect of a strategy is what comparable cells did not do too', async () => {
  const store = await newStore()
  await writeHours(store, 0.05)
  const alert = await fired(store, 'ad', start + 60 * minute)
  await fired(store, 'ill', start + 60 * minute)
  expect(await effectOf(store, alert)).toContain('no strategy is written')
  await writeReview(store, alert, request({ cause: 'x', strategy: 'rolled back', strategyAt: start + 6 * hour - 1 }), Date.now())
  const effect = await effectOf(store, await known(store, alert.alert_id))
  if (typeof effect === 'string') throw new Error(effect)
  expect(effect.controlCells).toEqual(['kol', 'organic'])
  expect(effect.before).toEqual({ fromMs: start + 60 * minute, toMs: start + 6 * hour })
  expect(effect.treated.before).toBeCloseTo(0.3, 2)
  expect(effect.treated.after).toBeCloseTo(0.5, 2)
  expect(effect.effect).toBeCloseTo(0.15, 2)
  expect(effect.verdict).toBe('rose')

  await writeReview(store, alert, request({ strategy: 'later', strategyAt: Date.now() + hour }), Date.now())
  expect(await effectOf(store, await known(store, alert.alert_id))).toContain('ask again later')
})

/** What an attribution may have found: this channel's share of a fall from 0.5 to 0.3, in a window of two minutes. */
function foundCauses(share: number): Found {
  const effects = { numerator: -0.2 * share, denominator: 0, rate: -0.2 * share, mix: 0 }
  const cause = { cell: { channel: 'ad', category: '' }, depth: 2, share, effects, score: 40, actual: 300, expected: 500 }
  const whole = { numerator: -0.2, denominator: 0, rate: -0.2, mix: 0, baseline: 0.5, actual: 0.3, change: -0.2 }
  return {
    explanation: { kind: 'explained', leaves: 100, windows: 30, attribution: { verdict: 'cells', causes: [cause], ranked: [], whole } },
    leftOut: ['region'], unit: { effects: 1, counts: 1 }, knownAt: start + 4 * minute,
    windows: { from: start, length: 2 * minute, step: 2 * minute, before: 30 },
  } // prettier-ignore
}

test('of its likely causes the latest are shown, and all are kept', async () => {
  const store = await newStore()
  const alert = await fired(store)
  expect(alert).toMatchObject({ causes_verdict: '', likely_causes: '' })
  expect(renderAlert(await showAlert(store, alert))).not.toContain('Likely cause')
  for (const [revision, share] of [
    ['firing', 0.7],
    ['later', 0.82],
    ['later', 0.82],
  ] as const)
    // prettier-ignore
    await store.insert(causesInsert(alert.alert_id, revision, foundCauses(share)))
  const now = await known(store, alert.alert_id)
  expect(now).toMatchObject({ causes_verdict: 'cells', likely_causes: 'channel ad, category (none) (82 %)' })
  const detail = await showAlert(store, now)
  expect(detail.causes.map(({ revision, rank, share }) => [revision, rank, share])).toEqual([[0, 0, 1], [0, 1, 0.7], [1, 0, 1], [1, 1, 0.82]]) // prettier-ignore
  const text = renderAlert(detail)
  expect(text).toContain('Likely cause: these cells (too many leaves: region was left out)')
  expect(text).toContain('channel ad, category (none): 82 % of the fall; 300 where 500 were to be expected; score 40')
  expect(text).toContain('in which the KPI was 0.3 after 0.5 before it')
})

test('the command does all of it', async () => {
  const store = await newStore(databaseOf(defaultTopic))
  await writeHours(store, 0)
  const alert = await fired(store, 'ad', start + 60 * minute)
  const id = alert.alert_id.slice(0, 12)
  const lines: string[] = []
  const run = async (...words: string[]): Promise<number> => {
    lines.length = 0
    const keep = (chunk: string | Uint8Array) => lines.push(String(chunk)) > 0
    const [out, err] = [process.stdout.write.bind(process.stdout), process.stderr.write.bind(process.stderr)]
    process.stdout.write = keep
    process.stderr.write = keep
    try {
      return await runProgram(['alert', ...words], { REELPULSE_DATA: dataDir, USER: 'lin' })
    } finally {
      process.stdout.write = out
      process.stderr.write = err
    }
  }
  expect(await run('list')).toBe(exitGood)
  expect(lines.join('')).toMatch(new RegExp(`^${alert.alert_id.slice(0, 8)}  firing +open +.* completion_rate of channel ad  due`))
  expect(await run('effect', id)).toBe(exitFinding)
  expect(await run('ack', id)).toBe(exitGood)
  expect(await run('close', id)).toBe(exitUsage)
  expect(lines.join('')).toContain('no root cause is written yet')
  const strategyAt = new Date(start + 6 * hour).toISOString()
  expect(await run('note', id, '--cause', '8.6.0 stalls', '--strategy', 'rolled back', '--strategy-at', strategyAt)).toBe(exitGood)
  expect(await run('close', id, '--by', 'wei')).toBe(exitGood)
  expect(lines.join('')).toContain('review      closed')
  expect(await run('effect', id)).toBe(exitGood)
  expect(lines.join('')).toContain('The KPI rose by more than chance explains.')
  expect(await run('effect', id, '--json')).toBe(exitGood)
  expect(JSON.parse(lines.join(''))).toMatchObject({ verdict: 'rose', control_cells: ['ill', 'kol', 'organic'] })
  expect(await run('show', 'ffffffff')).toBe(exitFinding)
  expect(await run('frobnicate')).toBe(exitUsage)
})
