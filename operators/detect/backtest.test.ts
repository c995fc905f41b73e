import { expect, test } from 'vitest'
import { zone } from '../time/zone.ts'
import { alarmsOf, learnedAt, scoresOf, type LabelledSeries } from './backtest.ts'
import { deviate } from './hand-made.ts'
import { seeded } from '../testing/seeded.ts'

const hourMs = 3_600_000
const week = 168

/** Hours of a value; labelled are those of the runs. */
function hourly(values: Float64Array, labelled: readonly (readonly [number, number])[] = []): LabelledSeries {
  const labels = new Uint8Array(values.length)
  for (const [from, to] of labelled) labels.fill(1, from, to + 1)
  return { name: 'made', stepMs: hourMs, first: 420_000, values, labels }
}
const flat = (hours: number) => new Float64Array(hours).fill(1)
const scored = (alarms: number[], labelled: (readonly [number, number])[]) =>
  scoresOf([{ series: hourly(flat(4 * week), labelled), alarms }])

test('a series of three weeks and more learns two, a shorter one 1.1', () => {
  expect(learnedAt(hourly(flat(3 * week + 1)))).toBe(2 * week)
  expect(learnedAt(hourly(flat(3 * week)))).toBe(184)
})

test.each([
  { title: 'an alarm at the start', alarms: [400], labelled: [[400, 405]], recall: 1, precision: 1, delay: 0 },
  { title: 'an alarm a bucket before', alarms: [399], labelled: [[400, 405]], recall: 1, precision: 1, delay: 0 },
  { title: 'an alarm two buckets before', alarms: [398], labelled: [[400, 405]], recall: 0, precision: 0, delay: null },
  { title: 'an alarm two hours after the end', alarms: [407], labelled: [[400, 405]], recall: 1, precision: 1, delay: 7 },
  { title: 'an alarm three hours after the end', alarms: [408], labelled: [[400, 405]], recall: 0, precision: 0, delay: null },
  {
    title: 'labels with a gap of two hours are one',
    alarms: [409],
    labelled: [
      [400, 403],
      [405, 408],
    ],
    recall: 1,
    precision: 1,
    delay: 9,
  },
  { title: 'alarms with a gap of two hours are one', alarms: [400, 402, 500], labelled: [[401, 403]], recall: 1, precision: 0.5, delay: 0 },
  { title: 'what is learned from does not count', alarms: [100, 400], labelled: [[100, 110]], recall: 0, precision: 0, delay: null },
] as const)('scores: $title', ({ alarms, labelled, recall, precision, delay }) => {
  expect(scored([...alarms], [...labelled])).toMatchObject({ recall, precision, medianDelayBuckets: delay })
})

test('false alarms are told by series and week', () => {
  expect(scored([400, 450, 500], [])).toMatchObject({ alarmRuns: 3, falseAlarmsPerSeriesWeek: 1.5 })
})

/** Busy days and quiet nights, with some noise, five weeks long. */
function made(seed: number, change: (hour: number) => number): Float64Array {
  const random = seeded(seed)
  return Float64Array.from(
    { length: 5 * week },
    (_, h) => 1_000 * (1.2 + Math.sin(((h % 24) / 24) * 2 * Math.PI)) * (1 + 0.05 * deviate(random)) * change(h),
  )
}

test('of eight made-up series with a drop each most are found, and little else', () => {
  const runs = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
    const from = 2 * week + 55 * seed
    const series = hourly(
      made(seed, (h) => (h >= from && h < from + 12 ? 0.5 : 1)),
      [[from, from + 11]],
    )
    return { series, alarms: alarmsOf(series, 'up', zone('UTC')) }
  })
  const scores = scoresOf(runs)
  expect(scores.labelledRuns).toBe(8)
  expect(scores.recall).toBeGreaterThanOrEqual(0.875)
  expect(scores.falseAlarmsPerSeriesWeek).toBeLessThan(0.1)
})

test('a rise is looked for only where that is asked for', () => {
  const series = hourly(made(3, (h) => (h >= 600 && h < 620 ? 2 : 1)))
  expect(alarmsOf(series, 'up', zone('UTC'))).toEqual([])
  expect(alarmsOf(series, 'neither', zone('UTC'))).toContain(610)
})
