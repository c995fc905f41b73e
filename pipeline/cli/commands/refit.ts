// `reelpulse refit`: fits the models of lifetime value, and stores what they predict of every cohort.
import { z } from 'zod'
import { births } from '../../../operators/ltv/histories.ts'
import { pick } from '../../config/group.ts'
import { dataSettings, processSettings, storeSettings, topicSettings } from '../../config/groups.ts'
import { behaviorOnly } from '../behavior-only.ts'
import { defineCommand, exitFinding, exitGood, UsageError } from '../command.ts'

const dayMs = 86_400_000
const badRowsShown = 20

export const command = defineCommand({
  name: 'refit',
  summary: 'fit the models of lifetime value anew, and predict what every cohort will bring',
  help: `Reads from table events on which days each customer has bought and for how much, fits BG/NBD (how often they will buy) and
Gamma-Gamma (for how much), and writes the parameters to table ltv_models and what each day's registrants have brought and are expected to
bring to ltv_cohorts; view ltv shows the newest. Only what the log held before the end of --through counts, so the same fit is the same
whenever it is made, and is stored once.

With --csv it reads purchases from a file with the columns customer, day (2026-03-31) and amount (199.00) instead; customers then begin
with their first purchase, and nothing is stored.

Where customers are too few or too much alike for a model it says so, stores that, and exits 1.`,
  examples: [
    ['refit', 'Registrants of topic behavior-events, a year ahead; once a day is enough.'],
    ['refit --horizon-days 90 --margin 0.3 --json', 'What is earned within 90 days, where 30 % of an amount is.'],
    ['refit --csv purchases.csv --through 2026-03-31', 'A file, by what it says through that day.'],
  ],
  flags: z.object({
    csv: z.string().optional().describe('Read purchases from this file, and store nothing.'),
    birth: z
      .enum(births)
      .optional()
      .describe('Where customers begin: registration (default; all purchases count) or first_purchase (only later ones do).'),
    through: z.iso
      .date('a day such as 2026-03-31')
      .optional()
      .describe('Last day that counts. Default: the last whole one that all partitions have passed, or the last of the file.'),
    horizonDays: z.int('a whole number').min(1, 'at least 1').max(3_650, 'at most 3650').default(365).describe('How far to predict.'),
    margin: z
      .number('a number')
      .gt(0, 'above 0')
      .max(1, 'at most 1')
      .default(1)
      .describe('Share of an amount that is earned; 1 counts spend.'),
  }),
  settings: {
    data: dataSettings,
    topic: pick(topicSettings, ['topic']),
    store: storeSettings,
    process: pick(processSettings, ['zone']),
  },
  json: true,
  async run({ flags, settings, print, note, result, signal }) {
    const [{ refit }, { modelRows, storeModel }, { renderRefit, refitFigures }, { zone: zoneNamed }] = await Promise.all([
      import('../../../operators/ltv/refit.ts'),
      import('../../ltv/model-rows.ts'),
      import('../../ltv/render.ts'),
      import('../../../operators/time/zone.ts'),
    ])
    behaviorOnly(settings.topic.topic, 'refit')
    const zone = zoneNamed(settings.process.zone)
    const birth = flags.birth ?? (flags.csv === undefined ? 'registration' : 'first_purchase')
    const through = flags.through === undefined ? undefined : Date.parse(flags.through) / dayMs
    const { horizonDays, margin } = flags
    const store =
      flags.csv === undefined ? await (await import('../../adapters/open.ts')).openStore(settings, { create: false }) : undefined
    try {
      const { figures, lastDay } = store === undefined ? await fromFile(flags.csv!) : await fromStore(store)
      const made = refit(figures, { lastDay, horizonDays, margin })
      const told = { figures, refit: made, lastDay, horizonDays, margin, birth }
      const context = { asOfMs: zone.startOfDay(lastDay + 1), birth, zone: zone.name, horizonDays, margin, startOfDay: zone.startOfDay }
      const rows = modelRows(made, context)
      print(renderRefit(told))
      const stored = store !== undefined && (await storeModel(store, rows))
      if (store !== undefined) note(stored ? 'stored in ltv_models and ltv_cohorts' : 'this very fit is stored already')
      result({ ...refitFigures(rows, told), stored })
      return made.purchases.kind === 'fit' && made.purchases.converged ? exitGood : exitFinding
    } finally {
      await store?.close()
    }

    async function fromStore(store: import('../../ports/store.ts').Store) {
      const [{ leastClock, readCustomers }, { tables }, { views }] = await Promise.all([
        import('../../ltv/customers.ts'),
        import('../../../schemas/tables/catalogue.ts'),
        import('../../../operators/views.ts'),
      ])
      await store.migrate(tables, views)
      const clock = await leastClock(store)
      if (clock === undefined)
        throw new UsageError(`topic ${settings.topic.topic} has no events yet, or a partition without any: process it first`)
      const known = zone.dayOf(clock) - 1
      const lastDay = through ?? known
      if (lastDay > known)
        throw new UsageError(
          `--through ${flags.through}: the log has not passed the end of that day in every partition; ${new Date(known * dayMs).toISOString().slice(0, 10)} is the last day it has`,
        )
      const figures = await readCustomers(store, { birth, asOfMs: zone.startOfDay(lastDay + 1), lastDay, zone: zone.name })
      if (figures.groups.length === 0 && figures.unregistered > 0)
        note('Nobody has registered: --birth first_purchase takes customers from their first purchase on.')
      return { figures, lastDay }
    }

    async function fromFile(file: string) {
      if (birth !== 'first_purchase') throw new UsageError('a file has no registrations: leave --birth out')
      const [{ readPurchasesFile }, { WrongHeader }, { customerFigures }, fs] = await Promise.all([
        import('../../ltv/purchases-file.ts'),
        import('../../import/records.ts'),
        import('../../../operators/ltv/histories.ts'),
        import('node:fs'),
      ])
      if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) throw new UsageError(`${file} is no file`)
      const read = await readPurchasesFile(file, signal).catch((error: unknown) => {
        throw error instanceof WrongHeader ? new UsageError(`${file}: ${error.message}`) : error
      })
      for (const { line, because } of read.bad.slice(0, badRowsShown)) note(`${file}, line ${line}: ${because}: left out`)
      if (read.bad.length > badRowsShown) note(`… and ${read.bad.length - badRowsShown} more`)
      const lastDay = through ?? read.lastDay
      if (lastDay === undefined) throw new UsageError(`${file} has no purchase`)
      return { figures: customerFigures(read.histories, birth, lastDay), lastDay }
    }
  },
})
