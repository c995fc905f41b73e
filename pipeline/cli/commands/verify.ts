// `reelpulse verify`: recomputes features, lifetimes, tiers and KPI sums from table `events`, and compares.
import { z } from 'zod'
import { anyTopicSettings, dataSettings, detectSettings, processSettings, storeSettings } from '../../config/groups.ts'
import { pick } from '../../config/group.ts'
import { databaseOf, defaultTopic } from '../../config/names.ts'
import { defineCommand, exitFinding, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'verify',
  summary: 'recompute features, lifetimes, tiers and KPI sums from the events, and compare',
  help: `Recomputes every row of user_features and tier_changes in SQL from table events alone, and compares column by column:
exactly, but for affinities, which may differ by 1e-9 of their value; and the sums of every cell and bucket of kpi_deltas, users and
sessions counted once among them, for the days whose rows are still there (40 days), and on those days what detect rolled up of them into
kpi_cells. It also checks that events has each event once, that clocks only rise, and that no user's newest row is missing. From customer
signals nothing is derived: of them it checks that each is there once and as it should be. Blocks that are still being inserted are left
out, so it may run while the pipeline does. Give it the settings that the pipeline runs with (emit interval, zone, currency, lists, lateness).

Where that would take too long it compares a sample: the users with the most events, the newest rows and the latest
arrivals, and others by chance. --all compares every row whatever it takes; --users and --rows size the sample.

The last line says how many rows were compared and how many differ. Exits 1 where any does.`,
  examples: [
    ['verify', 'Every topic of the embedded engine under ./data.'],
    ['verify --topic behavior-events --all', 'Every row of one topic.'],
    ['verify --users 500 --json', 'A sample of about 500 users; ends with the figures as JSON.'],
  ],
  flags: z.object({
    all: z.boolean().default(false).describe('Compare every row, however many there are.'),
    users: z
      .int('a whole number')
      .min(1, 'at least 1')
      .optional()
      .describe('Compare a sample of about so many users, and the notable ones.'),
    rows: z
      .int('a whole number')
      .min(1, 'at least 1')
      .default(40_000)
      .describe('Feature rows that a sample has at least, where there are so many.'),
  }),
  settings: {
    data: dataSettings,
    topic: anyTopicSettings,
    store: storeSettings,
    process: processSettings,
    detect: pick(detectSettings, ['latenessS']),
  },
  json: true,
  async run({ flags, settings, print, note, result, signal }) {
    if (flags.all && flags.users !== undefined) throw new UsageError('--all and --users exclude each other')
    const [{ openStore }, { operatorSettingsOf }, { topicsIn }, { verify }, { lastLine, renderReport }, { renderSignals, verifySignals }] =
      await Promise.all([
        import('../../adapters/open.ts'),
        import('../../config/operator-settings.ts'),
        import('../../verify/topics.ts'),
        import('../../verify/verify.ts'),
        import('../../verify/render.ts'),
        import('../../verify/signals.ts'),
      ])
    const operatorSettings = { ...operatorSettingsOf(settings.process), latenessMs: settings.detect.latenessS * 1000 }
    const choice = { everything: flags.all, users: flags.users, rows: flags.rows }
    const wanted = settings.topic.topic
    // Held open till the end: with the last store of a directory its engine would stop.
    const first = await openStore({ ...settings, topic: { topic: wanted ?? defaultTopic } }, { create: false, database: 'system' })
    try {
      const known = await topicsIn(first)
      const knownSignals = await topicsIn(first, 'customer_signals')
      const isWanted = (topic: string) => wanted === undefined || databaseOf(topic) === databaseOf(wanted)
      if (wanted !== undefined && ![...known, ...knownSignals].some((topic) => databaseOf(topic) === databaseOf(wanted)))
        throw new UsageError(`the store has no topic ${wanted}; it has ${[...known, ...knownSignals].join(', ') || 'none'}`)
      const topics = wanted === undefined ? known : known.some(isWanted) ? [wanted] : []
      let rowsCompared = 0
      let rowsDiffer = 0
      const databases = []
      for (const topic of topics) {
        const database = databaseOf(topic)
        const store = await openStore({ ...settings, topic: { topic } })
        try {
          let told = 0
          const report = await verify(store, operatorSettings, choice, (done, of) => {
            signal.throwIfAborted()
            if (of < 10 || done * 5 < of * (told + 1)) return
            told = Math.floor((done * 5) / of)
            note(`${database}: ${Math.round((done / of) * 100)} % done`)
          })
          print(renderReport(database, report))
          rowsCompared += report.rowsCompared
          rowsDiffer += report.rowsDiffer
          databases.push({ topic, database, ...report })
        } finally {
          await store.close()
        }
      }
      const signals = []
      for (const topic of knownSignals.filter(isWanted)) {
        const database = databaseOf(topic)
        const store = await openStore({ ...settings, topic: { topic } })
        try {
          const report = await verifySignals(store, operatorSettings.currency)
          print(renderSignals(database, report))
          rowsCompared += report.signals
          rowsDiffer += report.findings
          signals.push({ topic, database, ...report })
        } finally {
          await store.close()
        }
      }
      const nothing = topics.length + signals.length === 0
      if (nothing) note('The store has no topic: nothing was verified.')
      print(lastLine(rowsCompared, rowsDiffer))
      result({ rowsCompared, rowsDiffer, databases, signals })
      return rowsDiffer === 0 && !nothing ? exitGood : exitFinding
    } finally {
      await first.close()
    }
  },
})
