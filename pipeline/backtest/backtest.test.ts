import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { scoresOf } from '../../operators/detect/backtest.ts'
import { seeded } from '../../operators/testing/seeded.ts'
import { alarmsCsv, runBacktest } from './backtest.ts'
import { readSeries, seriesFiles, UnreadableSeries } from './read-series.ts'

const directory = mkdtempSync(join(tmpdir(), 'reelpulse-backtest-'))
afterAll(() => rmSync(directory, { recursive: true }))

let files = 0
function fileOf(text: string, name = `series-${files++}.csv`): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

test('both forms of a time are UTC, a time that repeats counts once, and gaps stay gaps', async () => {
  const path = fileOf(
    '\uFEFFTimestamp,Value,Label\r\n2018-05-10 00:00:00,1,0\r\n5/10/2018 1:00,2,1\r\n2018-05-10T01:00:00Z,9,0\r\n2018-05-10 04:00,3,0\r\n2018-05-10 05:00:00,4,0\r\n',
  )
  const { stepMs, first, values, labels } = await readSeries(path)
  expect({ stepMs, at: first * stepMs }).toEqual({ stepMs: 3_600_000, at: Date.UTC(2018, 4, 10) })
  expect([...values]).toEqual([1, 2, NaN, NaN, 3, 4])
  expect([...labels]).toEqual([0, 1, 0, 0, 0, 0])
})

test('a series by the minute is taken to means of ten, with any of their labels; columns may come in any order', async () => {
  const rows = Array.from({ length: 20 }, (_, m) => `${m === 13 ? '1.0' : '0'},${m},2018-04-25T00:${String(m).padStart(2, '0')}:00Z`)
  const { stepMs, values, labels } = await readSeries(fileOf(`label,value,timestamp\n${rows.join('\n')}`))
  expect({ stepMs, values: [...values], labels: [...labels] }).toEqual({ stepMs: 600_000, values: [4.5, 14.5], labels: [0, 1] })
})

test('labels may be missing', async () => {
  const { labels } = await readSeries(fileOf('timestamp,value\n2018-05-10 00:00:00,1\n2018-05-10 01:00:00,-2.5e3\n'))
  expect([...labels]).toEqual([0, 0])
})

const good = 'timestamp,value,label\n2018-05-10 00:00:00,1,0\n'
test.each([
  [`${good}2018-05-10 01:00:00,x,0\n`, /:3: value "x" is no number/],
  [`${good}2018-05-10 01:00:00,,0\n`, /:3: value "" is no number/],
  [`${good}2018-05-10 01:00:00,Infinity,0\n`, /:3: value "Infinity" is no number/],
  [`${good}\n2018-05-10 01:00:00,1\n`, /:4: 2 columns, where the first line has 3/],
  [`${good}yesterday,1,0\n`, /:3: timestamp "yesterday" is no UTC time/],
  [`${good}2018-02-30 00:00:00,1,0\n`, /:3: timestamp "2018-02-30 00:00:00" is no UTC time/],
  [`${good}2018-05-10 24:00:00,1,0\n`, /:3: timestamp/],
  [`${good}2018-05-10 01:00:00+08:00,1,0\n`, /:3: timestamp/],
  [`${good}2018-05-10 01:00:00,1,maybe\n`, /:3: label "maybe" is neither 0 nor 1/],
  ['time,value\n', /:1: no column "timestamp"/],
  ['', /empty; the first line names the columns/],
  [good, /1 row\(s\); a series has at least two/],
  [`${good}2019-05-10 00:00:00,1,0\n`, /a series has at least one a week/],
])('what cannot be read is told with its line: %#', async (text, message) => {
  const path = fileOf(text)
  const error = await readSeries(path).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(UnreadableSeries)
  expect((error as Error).message).toMatch(message)
  expect((error as Error).message).toContain(path)
})

test('a folder is its .csv files; what is not there, empty or called the same is told', async () => {
  const folder = join(directory, 'folder')
  mkdirSync(folder)
  await expect(seriesFiles([folder])).rejects.toThrow('no .csv files in this folder')
  for (const name of ['b.csv', 'a.csv', 'notes.txt']) writeFileSync(join(folder, name), good)
  expect(await seriesFiles([folder])).toEqual([join(folder, 'a.csv'), join(folder, 'b.csv')])
  await expect(seriesFiles([folder, join(folder, 'a.csv')])).rejects.toThrow('has the same name')
  await expect(seriesFiles([join(folder, 'c.csv')])).rejects.toThrow('no such file or folder')
})

const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))

test('the command prints one line of JSON, and writes its alarms', () => {
  const rows = Array.from({ length: 1_000 }, (_, h) => {
    const low = h >= 700 && h < 712
    return `${new Date(Date.UTC(2026, 0, 1) + h * 3_600_000).toISOString().slice(0, 19)}Z,${(100 + (h % 7)) * (low ? 0.4 : 1)},${low ? 1 : 0}`
  })
  const path = fileOf(`timestamp,value,label\n${rows.join('\n')}\n`, 'plays.csv')
  const alarms = join(directory, 'alarms.csv')
  const out = execFileSync(process.execPath, [bin, 'backtest', path, '--json', '--alarms', alarms]).toString()
  expect(JSON.parse(out)).toEqual({
    series: 1, labelledRuns: 1, alarmRuns: 1, precision: 1, recall: 1, falseAlarmsPerSeriesWeek: 0, medianDelayBuckets: 1,
  }) // prettier-ignore
  expect(readFileSync(alarms, 'utf8').split('\n').slice(0, 2)).toEqual(['series,timestamp', 'plays,2026-01-30 05:00:00'])
})

test('the command exits 2 for a file that it cannot read', () => {
  const { status, stderr } = spawnSync(process.execPath, [bin, 'backtest', fileOf(`${good}2018-05-10 01:00:00,x,0\n`)])
  expect(status).toBe(2)
  expect(stderr.toString()).toMatch(/series-\d+\.csv:3: value "x" is no number/)
})

// Labelled service metrics with the script that scores them; their licence lets us, but they are large.
const beside = fileURLToPath(new URL('../../../shared/data/kpi', import.meta.url))
const folder = [process.env['REELPULSE_KPI_SERIES'], beside].find((path) => path !== undefined && path !== '' && existsSync(path))
const python = spawnSync('python3', ['--version']).status === 0

test.skipIf(folder === undefined || !python)('the scores are those of the script that comes with the series', async () => {
  const { runs, scores } = await runBacktest([folder!], true)
  const byScript = (all: typeof runs) => {
    const path = fileOf(alarmsCsv({ runs: all, scores }), 'scored.csv')
    return JSON.parse(execFileSync('python3', [join(folder!, 'score.py'), folder!, path]).toString()) as object
  }
  expect(scores).toMatchObject(byScript(runs))
  // And of alarms by chance, which touch labels in every way.
  const random = seeded(5)
  for (const rate of [0.001, 0.01, 0.1]) {
    const chance = runs.map(({ series }) => ({ series, alarms: [...series.values.keys()].filter(() => random() < rate) }))
    expect(scoresOf(chance)).toMatchObject(byScript(chance))
  }
})

test.skipIf(folder === undefined)(
  'on those series it finds more than half of what is labelled, at less than half a false alarm a week',
  async () => {
    const { scores } = await runBacktest([folder!], true)
    expect(scores.recall).toBeGreaterThan(0.55)
    expect(scores.precision).toBeGreaterThan(0.6)
    expect(scores.falseAlarmsPerSeriesWeek).toBeLessThan(0.3)
  },
)
