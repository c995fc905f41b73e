// The detection over files of labelled series, and its figures for the reader.
import { alarmsOf, bucketStart, scoresOf, type LabelledSeries, type UnknownScores } from '../../operators/detect/backtest.ts'
import { zone } from '../../operators/time/zone.ts'
import { readSeries, seriesFiles } from './read-series.ts'

export type BacktestOutcome = {
  readonly runs: readonly { readonly series: LabelledSeries; readonly alarms: readonly number[] }[]
  /** null: cannot be told, for nothing is labelled. */
  readonly scores: UnknownScores
}

/** `paths`: files and folders. Throws UnreadableSeries. */
export async function runBacktest(paths: readonly string[], anyDirection: boolean): Promise<BacktestOutcome> {
  const utc = zone('UTC')
  const runs = []
  for (const file of await seriesFiles(paths)) {
    const series = await readSeries(file)
    runs.push({ series, alarms: alarmsOf(series, anyDirection ? 'neither' : 'up', utc) })
  }
  return { runs, scores: scoresOf(runs) }
}

/** A row a bucket in alarm: series, start of the bucket in UTC. */
export function alarmsCsv({ runs }: BacktestOutcome): string {
  const rows = runs.flatMap(({ series, alarms }) =>
    alarms.map((i) => `${series.name},${new Date(bucketStart(series, i)).toISOString().slice(0, 19).replace('T', ' ')}\n`),
  )
  return `series,timestamp\n${rows.join('')}`
}

export function renderBacktest({ runs, scores }: BacktestOutcome): string {
  const width = Math.max(6, ...runs.map(({ series }) => series.name.length))
  const lines = runs.map((run) => {
    const one = scoresOf([run])
    const known = scores.recall === null ? ['–', '–'] : [one.recall, one.precision]
    const figures = [one.labelledRuns, one.alarmRuns, ...known].map((figure) => `${figure}`.padStart(11))
    return `${run.series.name.padEnd(width)}${figures.join('')}`
  })
  const unknown = 'precision and recall unknown, for nothing in it is labelled'
  const { series, precision, recall, falseAlarmsPerSeriesWeek, medianDelayBuckets, labelledRuns, alarmRuns } = scores
  return [
    `${'series'.padEnd(width)}${['labelled', 'alarms', 'recall', 'precision'].map((name) => name.padStart(11)).join('')}`,
    ...lines,
    '',
    `${series} series, ${labelledRuns} labelled runs, ${alarmRuns} alarms: ` +
      (recall === null
        ? unknown
        : `precision ${precision}, recall ${recall}, ${falseAlarmsPerSeriesWeek} false alarms a series and week, median delay ${medianDelayBuckets ?? '–'} buckets`),
  ].join('\n')
}
