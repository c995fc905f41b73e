// `reelpulse outage`: what minutes without ClickHouse do.
import { z } from 'zod'
import { defineCommand, exitFinding, exitGood } from '../command.ts'

export const command = defineCommand({
  name: 'outage',
  summary: 'measure what minutes without ClickHouse do',
  help: `Runs the process role under a steady load from a real broker (Java and Maven, or Docker; else on the embedded log) into a ClickHouse
engine behind a proxy, lets the proxy refuse connections for a while, and waits until the role has caught up by itself, the load going on.
Prints the role's memory before, meanwhile and after, how long it took to catch up, and what was lost or doubled: the distinct event ids of
the topic against table events, and verify. Everything it starts and writes is its own, and is removed.

The last line is: away S s at R events/s: L lost, D doubled, V differ, peak P MB (+Q MB), caught up in T s. R is what was really written meanwhile. Exit
code 1 where something was lost or doubled, or differs.`,
  examples: [
    ['outage', 'Five minutes at 20,000 events a second.'],
    ['outage --seconds 30 --rate 2000', 'A short one.'],
  ],
  flags: z.object({
    seconds: z.number().min(1, 'at least 1').max(86_400, 'at most 86400').default(300).describe('How long the store is away.'),
    rate: z.number().positive('a number above 0').max(1e6, 'at most 1000000').default(20_000).describe('Events a second.'),
    before: z.number().min(1, 'at least 1').max(86_400, 'at most 86400').default(30).describe('Seconds under load before that.'),
    embedded: z.boolean().default(false).describe('On the embedded log; the memory is then that of the log and the traffic too.'),
  }),
  json: true,
  async run({ flags, print, note, result, signal }) {
    const { outageLine, runOutage } = await import('../../chaos/outage.ts')
    const { seconds, rate, before, embedded } = flags
    const figures = await runOutage({ seconds, rate, beforeS: before, embedded, note, signal })
    const { toldAfterS, lagRecords, rssBeforeMb, rssAwayMb, rssCatchUpMb, rssAfterMb, bufferedAwayMb, rowsCompared, events, catchUpRate } =
      figures
    print(`log                    ${figures.log}`)
    print(`events in the topic    ${events}`)
    print(`rows verified          ${rowsCompared}`)
    print(`/readyz said 503 after ${toldAfterS === undefined ? 'never' : `${toldAfterS} s`}`)
    print(`records waiting at its return ${lagRecords}`)
    print(`load while catching up ${catchUpRate} events/s`)
    print(`buffered while away    ${bufferedAwayMb} MB at most`)
    print(
      `memory (RSS)           ${rssBeforeMb} MB before, ${rssAwayMb} MB at most while away, ${rssCatchUpMb} MB while catching up, ${rssAfterMb} MB after`,
    )
    result(figures)
    print(outageLine(figures))
    return figures.lost + figures.doubled + figures.differ === 0 && toldAfterS !== undefined ? exitGood : exitFinding
  },
})
