// `reelpulse chaos`: kills, pauses and stops the parts of a running pipeline, then compares with what was produced.
import { z } from 'zod'
import { defineCommand, exitFailed, exitFinding, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'chaos',
  summary: 'kill a running pipeline at random moments, then compare with what was produced',
  help: `Starts a pipeline of its own in a temporary directory: a Kafka broker (Java and Maven, or Docker), the engine and two processes of one
group; with --embedded one program with the embedded log and engine. Under load, each round waits for a moment and does one thing:
kill -9 of a process, of both, of the engine or the broker, a pause that costs a process its partitions, a clean stop. In the end all
is processed and compared: events that the log acknowledged and the tables lack are lost, rows and messages that are there twice are
doubled, and what verify --all finds, wrong rejections and KPI sums differ.

With --detect it kills \`reelpulse detect\` instead, while incidents come and go in simulated traffic and a webhook refuses or loses some
answers; then what it stored and told is compared with what a detector says that nobody kills: no transition lost, none twice, none other.

The seed decides what is done and how long it waits, not the machine's own timing: a seed that failed need not fail again. A failed run keeps
its directory. The last line is "N rounds, L lost, D doubled, V differ". Exits 1 where any is not 0 or a program told an error.`,
  examples: [
    ['chaos --rounds 20', 'Kafka, two processes.'],
    ['chaos --rounds 20 --embedded', 'The embedded log and engine.'],
    ['chaos --rounds 20 --detect', 'Alerts: the detect role is killed.'],
    ['chaos --rounds 5 --seed 42 --json', 'The same deeds again; ends with the figures as JSON.'],
  ],
  flags: z.object({
    rounds: z.int('a whole number').min(0, 'at least 0').max(100_000, 'at most 100000').default(20).describe('How many deeds.'),
    embedded: z.boolean().default(false).describe('The embedded log and engine in place of Kafka and two processes.'),
    detect: z.boolean().default(false).describe('Kill the detect role, and look at alerts.'),
    seed: z
      .int('a whole number')
      .min(0, 'at least 0')
      .optional()
      .describe('Of deeds, waits and load; without it a random one, which is printed.'),
    rate: z.number().positive('a number above 0').max(100_000, 'at most 100000').default(400).describe('Events a second.'),
  }),
  json: true,
  async run({ flags, print, note, result, signal }) {
    const [{ isGood, runChaos }, { NoBroker }, { planRounds }] = await Promise.all([
      import('../../chaos/chaos.ts'),
      import('../../chaos/kafka-rig.ts'),
      import('../../chaos/plan.ts'),
    ])
    const mode = flags.embedded ? 'embedded' : 'kafka'
    const seed = flags.seed ?? Math.floor(Math.random() * 2 ** 32)
    note(`seed ${seed}`)
    if (flags.detect) {
      if (flags.embedded) throw new UsageError('--detect runs on the embedded engine as it is: leave --embedded out')
      const { isGood, planDetectRounds, runDetectChaos } = await import('../../chaos/detect/run.ts')
      const figures = await runDetectChaos({ plan: planDetectRounds(seed, flags.rounds), seed, note, signal })
      const { rounds, lost, doubled, differ, fired, transitions, repeats, complaints, kept } = figures
      print(`${fired} alerts fired, ${transitions} transitions, ${repeats} of them told again; ${figures.seconds} s; seed ${seed}`)
      for (const line of complaints) print(line)
      if (kept !== undefined) print(`kept in ${kept}: messages of the role (detect.log), and the tables`)
      print(`${rounds} rounds, ${lost} lost, ${doubled} doubled, ${differ} differ`)
      result(figures)
      return isGood(figures) ? exitGood : exitFinding
    }
    try {
      const figures = await runChaos({
        mode,
        plan: planRounds(seed, flags.rounds, mode),
        seed,
        eventsPerSecond: flags.rate,
        note,
        signal,
      })
      const { rounds, lost, doubled, differ, comparison, complaints, kept } = figures
      print(
        `${figures.flushes} flushes with ${comparison.acknowledged} events acknowledged, ${comparison.stored} stored; ` +
          `${figures.rowsCompared} rows verified; ${figures.seconds} s; seed ${seed}`,
      )
      for (const line of [...complaints, ...comparison.examples]) print(line)
      if (kept !== undefined)
        print(`kept in ${kept}: messages of the programs (*.log), figures.json, topics/, and the tables (reelpulse verify --data ${kept})`)
      print(`${rounds} rounds, ${lost} lost, ${doubled} doubled, ${differ} differ`)
      result(figures)
      return isGood(figures) ? exitGood : exitFinding
    } catch (error) {
      if (!(error instanceof NoBroker)) throw error
      note(`reelpulse chaos: ${error.message}`)
      return exitFailed
    }
  },
})
