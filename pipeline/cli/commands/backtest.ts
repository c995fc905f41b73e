// `reelpulse backtest`: how good the detection of drops is on series of one's own, or on the history of a KPI.
import { writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { pick } from '../../config/group.ts'
import { dataSettings, detectSettings, processSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { defineCommand, exitFinding, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'backtest',
  summary: 'detection over labelled series of your own, or a KPI’s history: precision, recall, false alarms, delay',
  help: `Runs the detection of drops, with the settings that the detect role has, over series in CSV files (or all .csv of a folder), and says
how many of the labelled anomalies it finds, how many of its alarms are true, and how late they come.

A file has a first line that names the columns: timestamp (UTC, 2018-05-10 00:00:00 or 5/10/2018 0:00), value, and label (1: an anomaly),
which may be missing. A timestamp that repeats counts once, the first; gaps stay gaps; a series finer than 10 minutes is taken to their
means. The first 14 days are for learning, of a series shorter than three weeks the first 7.7. Labelled buckets, and buckets in alarm, join
into runs across up to 2 h; a run is found by an alarm from one bucket before it to 2 h after its end.

Falls are looked for; --any-direction looks for rises too. Exits 2 where a file cannot be read, and says which line is wrong.

With --kpi it takes the history of a KPI that is watched (docs/guide/kpis.md), in cell all or in --cell, from the store instead: each bucket as it was
known when it closed, judged as detect judges it. What is labelled is what people have said: alerts on that KPI and cell that fired and of which a
cause is written (reelpulse alert note). Where there are none, nothing is known of precision and recall: they are null. As such labels are
alerts that did fire, recall says how many of them would fire again, and nothing of drops that nobody saw. Exits 1 where there is no history.`,
  examples: [
    ['backtest kpis/ --any-direction --json', 'Every .csv of a folder, falls and rises; the figures as JSON.'],
    ['backtest --kpi completion_rate --cell channel=ad', 'The history of a KPI in one cell, as the store has it.'],
    ['backtest plays.csv revenue.csv --alarms alarms.csv', 'Two series; the buckets in alarm are written to alarms.csv.'],
  ],
  positionals: [{ name: 'csv', doc: 'A series, or a folder of them.', optional: true, many: true }],
  flags: z.object({
    anyDirection: z.boolean().default(false).describe('Rises count too, not falls alone.'),
    kpi: z.string().min(1, 'a KPI').optional().describe('The history of this KPI, instead of files.'),
    cell: z.string().default('all').describe('With --kpi: the cell, such as channel=ad; all: everything together.'),
    alarms: z.string().min(1, 'a file').optional().describe('Write the buckets in alarm to this file: series,timestamp.'),
  }),
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    store: storeSettings,
    process: pick(processSettings, ['zone']),
    detect: pick(detectSettings, ['latenessS']),
  },
  json: true,
  async run({ flags, settings, positionals, json, print, note, result }) {
    if (flags.kpi !== undefined && positionals.length > 0) throw new UsageError('--kpi and files exclude each other: choose one')
    if (flags.kpi === undefined && positionals.length === 0)
      throw new UsageError('<csv> is missing: a series or a folder of them, or --kpi')
    const [{ UnreadableSeries }, { runBacktest, renderBacktest, alarmsCsv }] = await Promise.all([
      import('../../backtest/read-series.ts'),
      import('../../backtest/backtest.ts'),
    ])
    const historyOf = async (kpi: string) => {
      const [{ openStore }, { cellOf, runKpiBacktest, watchedMetric, watchedNames }] = await Promise.all([
        import('../../adapters/open.ts'),
        import('../../backtest/kpi-history.ts'),
      ])
      const cell = cellOf(flags.cell)
      if (cell === undefined) throw new UsageError(`--cell ${flags.cell} is no cell: write it as channel=ad, or all`)
      if (watchedMetric(kpi) === undefined) throw new UsageError(`${kpi} is not watched; these are: ${watchedNames().join(', ')}`)
      const store = await openStore(settings, { create: false })
      try {
        return await runKpiBacktest(store, { kpi, cell, zone: settings.process.zone, latenessMs: settings.detect.latenessS * 1000 })
      } finally {
        await store.close()
      }
    }
    try {
      const outcome = flags.kpi === undefined ? await runBacktest(positionals, flags.anyDirection) : await historyOf(flags.kpi)
      if (typeof outcome === 'string') {
        note(outcome)
        return exitFinding
      }
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
