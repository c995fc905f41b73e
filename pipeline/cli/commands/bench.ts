// `reelpulse bench`: what a million events cost.
import { resolve } from 'node:path'
import { z } from 'zod'
import { pick } from '../../config/group.ts'
import { processSettings } from '../../config/groups.ts'
import { defineCommand, exitGood, UsageError } from '../command.ts'

export const command = defineCommand({
  name: 'bench',
  summary: 'measure what a million events cost',
  help: `Reads the same log in two lengths from a real broker, several times, and prints the CPU-seconds per million events as the slope between
them: (a) decoding to emission into a sink that sums, (b) the shipped process role with a null store, (c) the same into the embedded
engine. Where the rig with the other engines is at hand (--peers), its generator makes the log and its fastest Node engine runs
interleaved as the baseline; else simulated traffic is read and there is no ratio. Starts a broker of its own (Java and Maven, or Docker)
unless --brokers names one.

With --topic it reads that topic once, appends nothing to it, and writes the check of its sums into --sums.`,
  examples: [
    ['bench', 'All figures; some minutes.'],
    ['bench --memory', "A million users' state."],
    ['bench --durability', 'What it costs to sync before acknowledging, in the embedded log and engine.'],
    ['bench --restore', "How fast a million users' state comes back, beside kafkajs alone on the same topic."],
    ['bench --checkpoints', 'What checkpoints take of the CPU in steady state.'],
    ['bench --board', 'How soon the live board is there, its first paint, and what its panels take.'],
    ['bench --board-load', 'Many browsers at the live board: what it asks of the store, and whether its memory stays what it is.'],
    [
      'bench --freshness',
      'From a play to the live board, of apps that post at once and that collect; with --kafka, through a real broker.',
    ],
    ['bench --attribution', 'How fast the causes of a drop are found among a million leaves.'],
    ['bench --attribution --engine', 'The same from table events of the embedded engine, as the detect role does it.'],
    ['bench --panels', 'How long each panel of the boards takes, with thirty days of 20,000 users in the embedded engine.'],
    ['bench --brokers 127.0.0.1:9092 --topic bench-events --sums sums.txt', "One run over a topic, and its rows' sums."],
  ],
  flags: z.object({
    brokers: z.string().optional().describe('A broker to use instead of one of its own.'),
    topic: z.string().optional().describe('Read this topic once; needs --brokers.'),
    sums: z.string().optional().describe('File for the check of that topic.'),
    peers: z.string().default('../shared/peers').describe('Folder of the rig with the other engines, from the root of the project.'),
    flushes: z
      .int('a whole number')
      .min(1_000, 'at least 1000')
      .default(500_000)
      .describe('Of the shorter log; the longer has twice as many.'),
    memory: z.boolean().default(false).describe('Only what a million users weigh, 2 % of them busy.'),
    durability: z.boolean().default(false).describe('Only what it costs to sync before acknowledging.'),
    restore: z.boolean().default(false).describe('Only how fast state comes back from a changelog.'),
    users: z.int('a whole number').min(100, 'at least 100').default(1_000_000).describe('Of --restore.'),
    checkpoints: z.boolean().default(false).describe('Only what checkpoints cost, on against off, every ten seconds of log time.'),
    attribution: z.boolean().default(false).describe('Only how fast the causes of a drop are found.'),
    engine: z.boolean().default(false).describe('--attribution: from events in the embedded engine, the query with it.'),
    leaves: z
      .int('a whole number')
      .min(1_000, 'at least 1000')
      .max(6_000_000, 'at most 6000000')
      .default(1_000_000)
      .describe('Of --attribution.'),
    board: z.boolean().default(false).describe('Only how soon the live board is there, and what its panels take; needs Chromium.'),
    boardLoad: z.boolean().default(false).describe('Only the live board under many browsers; takes --minutes and some more.'),
    browsers: z.int('a whole number').min(50, 'at least 50').max(400, 'at most 400').default(200).describe('Of --board-load.'),
    minutes: z.number().min(1, 'at least 1').max(600, 'at most 600').default(10).describe('Of --board-load.'),
    freshness: z.boolean().default(false).describe("Only how long a play takes from when it happens to the live board's open minute."),
    kafka: z.boolean().default(false).describe('--freshness: with a real broker, not the embedded log.'),
    seconds: z
      .int('a whole number')
      .min(10, 'at least 10')
      .max(3_600, 'at most 3600')
      .default(60)
      .describe('Of --freshness, for each of two apps.'),
    rate: z.number().positive('a number above 0').max(100_000, 'at most 100000').default(500).describe('--freshness: events a second.'),
    panels: z.boolean().default(false).describe("Only how long each panel's query takes; --rounds runs of each, ten times as many."),
    data: z.string().optional().describe('--panels: keeps the data in this directory, and measures again what is there.'),
    only: z.string().default('').describe("--panels: those whose line has this in it, such as 'reelpulse-overview: kpi_now'."),
    rounds: z.int('a whole number').min(1, 'at least 1').max(20, 'at most 20').default(2).describe('Runs of each.'),
  }),
  settings: { process: pick(processSettings, ['blockSpanS', 'emitS']) },
  json: true,
  async run({ flags, settings, print, note, result, env }) {
    const { runRolling, runMemory, openRig } = await import('../../bench/runs.ts')
    if (flags.memory) {
      const figures = await runMemory()
      print(`${figures.users} users, ${figures.busyUsers} of them busy: ${figures.rssMb} MB at the end, ${figures.tiles} tiles`)
      result(figures)
      return exitGood
    }
    if (flags.attribution && flags.engine) {
      const { measureAttributionEngine } = await import('../../bench/attribution-engine.ts')
      const figures = await measureAttributionEngine(flags.leaves, flags.rounds, note)
      const { leaves, events, rows, seconds, querySeconds, explainSeconds, firstSeconds, rssMb, found } = figures
      print(
        `${leaves} leaves of ${events} events (${rows} rows) end to end in ${seconds.toFixed(2)} s: query ${querySeconds.toFixed(2)} s, attribution ${explainSeconds.toFixed(2)} s (first run ${firstSeconds.toFixed(2)} s), ${rssMb} MB beside the engine; found ${found}`,
      )
      result(figures)
      return exitGood
    }
    if (flags.attribution) {
      const { measureAttribution } = await import('../../bench/attribution.ts')
      const figures = measureAttribution(flags.leaves, flags.rounds)
      print(
        `${figures.leaves} leaves in ${figures.seconds.toFixed(2)} s (first run ${figures.firstSeconds.toFixed(2)} s; ${figures.cpuSeconds.toFixed(2)} CPU s): ${figures.leavesPerSecond} leaves/s, ${figures.rssMb} MB; found ${figures.found}`,
      )
      result(figures)
      return exitGood
    }
    if (flags.board) {
      const { measureBoard } = await import('../../bench/board.ts')
      const figures = await measureBoard(flags.rounds, note)
      print(
        `from start to an answer ${figures.answersS.toFixed(1)} s, to live figures in the browser ${figures.liveS.toFixed(1)} s; first paint ${Math.round(figures.firstPaintMs)} ms, every panel filled ${Math.round(figures.filledMs)} ms after opening`,
      )
      print(
        `${figures.panels} panel queries: p50 ${Math.round(figures.panelP50Ms)} ms, p95 ${Math.round(figures.panelP95Ms)} ms; the slowest: ${figures.slowest}`,
      )
      result(figures)
      return exitGood
    }
    if (flags.boardLoad) {
      const [{ measureBoardLoad }, { boardLoadLines }] = await Promise.all([
        import('../../bench/board-load.ts'),
        import('../../bench/board-load-lines.ts'),
      ])
      const figures = await measureBoardLoad({ browsers: flags.browsers, minutes: flags.minutes, note })
      for (const line of boardLoadLines(figures)) print(line)
      result(figures)
      return exitGood
    }
    if (flags.freshness) {
      const { freshnessLines, measureFreshness } = await import('../../bench/freshness.ts')
      const { brokers, kafka, seconds, rate } = flags
      const { blockSpanS, emitS } = settings.process
      const figures = await measureFreshness({ brokers, kafka, seconds, rate, blockSpanS, emitS, note })
      for (const line of freshnessLines(figures, { rate, blockSpanS, emitS })) print(line)
      result({ figures })
      return exitGood
    }
    if (flags.panels) {
      const { measurePanels } = await import('../../bench/panels.ts')
      const figures = await measurePanels(flags.rounds * 10, note, flags.data, flags.only)
      for (const { board, panel, range, p50Ms, p95Ms, rows } of figures)
        print(
          `p95 ${p95Ms.toFixed(0).padStart(5)} ms  p50 ${p50Ms.toFixed(0).padStart(5)} ms  ${range.padStart(4)}  ${String(rows).padStart(5)} rows  ${board}: ${panel}`,
        )
      const within = figures.filter(({ p95Ms }) => p95Ms <= 200).length
      print(`${within} of ${figures.length} panels within 200 ms at p95`)
      result({ figures })
      return exitGood
    }
    if (flags.durability) {
      const { measureDurability } = await import('../../bench/durability.ts')
      const figures = await measureDurability(flags.rounds, note)
      for (const { part, setting, size, p50Ms, p99Ms, cpuMs, p50Ratio, cpuRatio } of figures)
        print(
          `${part.padEnd(6)} ${setting.padEnd(16)} ${String(size).padStart(6)}  p50 ${p50Ms.toFixed(2)} ms (× ${p50Ratio.toFixed(2)})  p99 ${p99Ms.toFixed(2)} ms  CPU ${cpuMs.toFixed(2)} ms (× ${cpuRatio.toFixed(2)})`,
        )
      result({ figures })
      return exitGood
    }
    if (flags.restore || flags.checkpoints) {
      const { measureRestore, measureCheckpoints } = await import('../../bench/recovery.ts')
      const wish = { brokers: flags.brokers, rounds: flags.rounds, note }
      if (flags.restore) {
        const measured = await measureRestore(flags.users, wish)
        print(
          `${measured.users} users, ${measured.bytesPerUser.toFixed(0)} bytes each; ${measured.records} records, ${Math.round(measured.bytes / 1e6)} MB`,
        )
        const says = { ours: 'restored from Kafka', embedded: 'restored from the embedded log', kafkajs: 'read by kafkajs alone' } as const
        for (const name of ['ours', 'embedded', 'kafkajs'] as const) {
          const { recordsPerSecond, usersPerSecond, cpuSeconds } = measured[name]
          print(
            `${Math.round(recordsPerSecond)} records/s, ${Math.round(usersPerSecond)} users/s, ${cpuSeconds.toFixed(2)} CPU s  ${says[name]}`,
          )
        }
        print(
          `a restore goes at ${measured.ratio.toFixed(2)} times the rate of kafkajs alone, at ${measured.cpuRatio.toFixed(2)} by CPU; ${measured.rssMb} MB`,
        )
        result(measured)
      } else {
        const measured = await measureCheckpoints(flags.flushes, wish)
        print(
          `${measured.on.toFixed(2)} CPU-s per million events with checkpoints, ${measured.off.toFixed(2)} without, at ${measured.eventsPerSecond} events/s`,
        )
        print(
          `${measured.checkpoints} checkpoints, one every 10 s of log time, ${measured.usersPerEvent.toFixed(3)} users written for each event: ${(measured.share * 100).toFixed(1)} % of CPU, the median of ${measured.shares.map((share) => (share * 100).toFixed(1)).join(', ')} (our process; null store)`,
        )
        result(measured)
      }
      return exitGood
    }
    if (flags.topic !== undefined) {
      const brokers = flags.brokers ?? env['KAFKA_BROKERS']
      if (brokers === undefined) throw new UsageError('--topic needs --brokers: where is that topic?')
      const figures = await runRolling(brokers, flags.topic, flags.sums)
      print(`${figures.events} events, ${figures.rows['features']} rows; ${figures.cpuSeconds.toFixed(2)} CPU s, ${figures.rssMb} MB`)
      result(figures)
      return exitGood
    }
    const [{ engines, measure }, { prepareLogs }] = await Promise.all([import('../../bench/bench.ts'), import('../../bench/logs.ts')])
    const rig = openRig(resolve(import.meta.dirname, '../../..', flags.peers))
    if (rig === undefined) note(`no rig at ${flags.peers}: simulated traffic, and no baseline (--peers names its folder)`)
    const logs = await prepareLogs({ brokers: flags.brokers, flushes: flags.flushes, rig, note })
    try {
      const measured = await measure(engines(logs.brokers, rig), logs.topics, flags.rounds, note)
      const baseline = measured.find(({ name }) => name === 'node-fast-kafkajs')?.cpuSecondsPerMillionEvents
      const rolling = measured.find(({ name }) => name === 'rolling')!.cpuSecondsPerMillionEvents
      for (const { says, cpuSecondsPerMillionEvents, engineCpuSecondsPerMillionEvents: engine, rssMb } of measured)
        print(
          `${cpuSecondsPerMillionEvents.toFixed(2)} CPU-s per million events${engine === undefined ? '' : ` and ${engine.toFixed(2)} in the engine`}, ${rssMb} MB  ${says}`,
        )
      const ratio = baseline === undefined ? null : Math.round((rolling / baseline) * 1000) / 1000
      if (ratio !== null) print(`(a) costs ${ratio} times the baseline`)
      result({
        ratioToFastKafkajs: ratio,
        cpuSecondsPerMillionEvents: Object.fromEntries(measured.map(({ name, cpuSecondsPerMillionEvents: cost }) => [name, cost])),
        engines: measured,
      })
    } finally {
      await logs.close()
      rig?.close()
    }
    return exitGood
  },
})
