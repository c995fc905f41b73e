// `reelpulse backtest <csv>…`: how good the detection of drops is on series of one's own.
import { writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { defineCommand, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'backtest',
  summary: 'detection over labelled series of your own: precision, recall, false alarms, delay',
  help: `Runs the detection of drops, with the settings that the detect role has, over series in CSV files (or all .csv of a folder), and says
how many of the labelled anomalies it finds, how many of its alarms are true, and how late they come.

A file has a first line that names the columns: timestamp (UTC, 2018-05-10 00:00:00 or 5/10/2018 0:00), value, and label (1: an anomaly),
which may be missing. A timestamp that repeats counts once, the first; gaps stay gaps; a series finer than 10 minutes is taken to their
means. The first 14 days are for learning, of a series shorter than three weeks the first 7.7. Labelled buckets, and buckets in alarm, join
into runs across up to 2 h; a run is found by an alarm from one bucket before it to 2 h after its end.

Falls are looked for; --any-direction looks for rises too. Exits 2 where a file cannot be read, and says which line is wrong.`,
  examples: [
    ['backtest kpis/ --any-direction --json', 'Every .csv of a folder, falls and rises; the figures as JSON.'],
    ['backtest plays.csv revenue.csv --alarms alarms.csv', 'Two series; the buckets in alarm are written to alarms.csv.'],
  ],
  positionals: [{ name: 'csv', doc: 'A series, or a folder of them.', many: true }],
  flags: z.object({
    anyDirection: z.boolean().default(false).describe('Rises count too, not falls alone.'),
    alarms: z.string().min(1, 'a file').optional().describe('Write the buckets in alarm to this file: series,timestamp.'),
  }),
  settings: {},
  json: true,
  async run({ flags, positionals, json, print, result }) {
    const [{ UnreadableSeries }, { runBacktest, renderBacktest, alarmsCsv }] = await Promise.all([
      import('../../backtest/read-series.ts'),
      import('../../backtest/backtest.ts'),
    ])
    try {
      const outcome = await runBacktest(positionals, flags.anyDirection)
      if (flags.alarms !== undefined) await writeFile(flags.alarms, alarmsCsv(outcome))
      if (!json) print(renderBacktest(outcome))
      result(outcome.scores)
      return exitGood
    } catch (error) {
      if (error instanceof UnreadableSeries) throw new UsageError(error.message)
      throw error
    }
  },
})
