import { beforeAll, expect, test } from 'vitest'
import { cadenceOf } from '../../operators/detect/cadence.ts'
import { zone } from '../../operators/time/zone.ts'
import { exitFinding, exitGood, exitUsage } from '../cli/command.ts'
import { runProgram } from '../cli/main.ts'
import { databaseOf } from '../config/names.ts'
import { findAlert, writeReview } from '../alerts/reviews.ts'
import { deltaWriter, type MadeBlock } from '../roles/detect/hand-made.ts'
import { madeTransition, storeAlert } from '../roles/detect/hand-made-alerts.ts'
import { rollUp } from '../roles/detect/roll-up.ts'
import type { Store } from '../ports/store.ts'
import { alarmsCsv, renderBacktest, type BacktestOutcome } from './backtest.ts'
import { cellOf, runKpiBacktest } from './kpi-history.ts'
import { embeddedEngine } from '../testing/embedded-parts.ts'

const { dataDir, newStore } = await embeddedEngine('history', { fsync: 'nothing' })
const hourMs = 3_600_000
const hours = 24 * 24
const start = Math.floor(Date.now() / hourMs) * hourMs - (hours + 4) * hourMs
const at = (hour: number) => start + hour * hourMs
const options = { kpi: 'conversion_rate', cell: { dimension: 'channel', value: 'ad' }, zone: 'Asia/Shanghai', latenessMs: 120_000 } as const
let store: Store

/** Of a thousand users an hour 120 buy; from hour 500 to 505 of those of one channel 60. */
const blocks: MadeBlock[] = Array.from({ length: hours }, (_, hour) => ({
  partition: 0,
  blockAt: at(hour + 1) + 200_000,
  cells: (['ad', 'kol'] as const).map((value) => ({
    grain: 'hour', dimension: 'channel', value, bucketAt: at(hour),
    sums: { events: 9_000, active_users: 4_000 + hour % 7, buyers: value === 'ad' && hour >= 500 && hour < 506 ? 240 : 480 + hour % 5 },
  })),
})) // prettier-ignore

beforeAll(async () => {
  store = await newStore(databaseOf('history'))
  await deltaWriter(store, 1)(blocks)
})

const outcomeOf = async (asked = {}): Promise<BacktestOutcome> => {
  const outcome = await runKpiBacktest(store, { ...options, ...asked })
  if (typeof outcome === 'string') throw new Error(outcome)
  return outcome
}

test('the history of a KPI is judged as the detect role judges it; without reviews nothing is said of recall', async () => {
  const outcome = await outcomeOf()
  expect(outcome.scores).toEqual({
    series: 1, labelledRuns: 0, alarmRuns: 1, precision: null, recall: null, falseAlarmsPerSeriesWeek: null, medianDelayBuckets: null,
  }) // prettier-ignore
  expect(renderBacktest(outcome)).toContain('1 alarms: precision and recall unknown, for nothing in it is labelled')
  // The second hour fires; the third that has recovered ends it.
  const [header, ...alarms] = alarmsCsv(outcome).trim().split('\n')
  expect(header).toBe('series,timestamp')
  expect(alarms[0]).toBe(`conversion_rate{channel=ad},${new Date(at(501)).toISOString().slice(0, 19).replace('T', ' ')}`)
  expect(alarms).toHaveLength(7)
  expect((await outcomeOf({ cell: { dimension: 'channel', value: 'kol' } })).scores.alarmRuns).toBe(0)
})

test('it is the same from what is rolled up, also when the deltas have gone', async () => {
  const before = await outcomeOf()
  const one = rollUp(store, { grain: 'hour', cadence: cadenceOf('hour', zone(options.zone)), latenessMs: options.latenessMs })
  while (await one.advance(at(hours)));
  await store.command("DELETE FROM kpi_deltas WHERE dimension != 'clock' AND bucket_at < fromUnixTimestamp64Milli({at:Int64}, 'UTC')", {
    at: at(hours - 48),
  })
  expect(await outcomeOf()).toEqual(before)
})

test('an alert of which a cause is written is a label', async () => {
  const same = { kpi: options.kpi, grain: 'hour' } as const
  const states = [['pending', 500], ['firing', 501], ['recovering', 506], ['resolved', 508]] as const // prettier-ignore
  let id = ''
  for (const [sequence, [state, hour]] of states.entries())
    id = (await storeAlert(store, madeTransition('ad', at(500), sequence, state, { ...same, bucketAt: at(hour), firedAt: sequence === 0 ? undefined : at(502) }))).alertId // prettier-ignore
  expect((await outcomeOf()).scores.recall).toBeNull()
  const found = await findAlert(store, id)
  if (found.kind !== 'found') throw new Error(found.kind)
  await writeReview(store, found.value, { action: 'note', by: 'lin', cause: 'a broken till', strategy: '', text: '' }, Date.now())
  expect((await outcomeOf()).scores).toMatchObject({ labelledRuns: 1, alarmRuns: 1, precision: 1, recall: 1, falseAlarmsPerSeriesWeek: 0 })
})

test('a cell that nothing counts in, and a day that has not closed, are told', async () => {
  expect(await runKpiBacktest(store, { ...options, cell: { dimension: 'channel', value: 'nowhere' } })).toMatch(/no cell channel=nowhere/)
  expect(await runKpiBacktest(store, { ...options, kpi: 'engaged_user_share' })).toMatch(/no day has closed/)
})

test.each([
  ['all', { dimension: 'all', value: '' }],
  ['channel=ad', { dimension: 'channel', value: 'ad' }],
  ['region=a=b', { dimension: 'region', value: 'a=b' }],
  ['channel', undefined],
  ['all=x', undefined],
  ['clock=', undefined],
  ['moon=1', undefined],
])('a cell is written as %s', (text, cell) => {
  expect(cellOf(text)).toEqual(cell)
})

test('the command takes a KPI in place of files', async () => {
  let out = ''
  const write = process.stdout.write
  process.stdout.write = ((text: string) => ((out += text), true)) as never
  const errors = process.stderr.write
  process.stderr.write = ((text: string) => ((out += text), true)) as never
  const run = (...words: string[]) => runProgram(['backtest', '--topic', 'history', ...words], { REELPULSE_DATA: dataDir })
  try {
    expect(await run('--kpi', 'conversion_rate', '--cell', 'channel=kol', '--json')).toBe(exitGood)
    expect(out).toContain('"alarmRuns":0,"precision":null,"recall":null')
    expect(await run('--kpi', 'engaged_user_share')).toBe(exitFinding)
    for (const wrong of [
      [],
      ['--kpi', 'late_event_share'],
      ['--kpi', 'conversion_rate', 'a.csv'],
      ['--kpi', 'conversion_rate', '--cell', 'ad'],
    ])
      expect(await run(...wrong)).toBe(exitUsage)
    expect(out).toContain('late_event_share is not watched; these are: completion_rate')
  } finally {
    process.stdout.write = write
    process.stderr.write = errors
  }
})
