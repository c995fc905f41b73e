// ClickHouse away for minutes under a steady load: what the process role's memory does meanwhile, how long it takes to catch up, and
// whether anything was lost or doubled. The role is the shipped program in a process of its own; the engine is real; a proxy before it
// refuses connections while it is away.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultSettings } from '../../operators/settings.ts'
import { embeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import { databaseOf, defaultTopic } from '../config/names.ts'
import type { Log } from '../ports/log.ts'
import { kafkaBackend, type RunningKafka } from '../testing/kafka-broker.ts'
import { storeFaults, type StoreFaults } from '../testing/store-faults.ts'
import { liveTraffic } from '../traffic/write-traffic.ts'
import { verify } from '../verify/verify.ts'
import { distinctIds, storedIdsSql, type DistinctIds } from './distinct-ids.ts'
import { startProgram, type Program, type Sample } from './watched-program.ts'

export type OutageOptions = {
  seconds: number
  rate: number
  /** Under load before the outage (s). */
  beforeS: number
  /** Without Kafka the program brings log and traffic itself, and their memory counts as its own. */
  embedded: boolean
  note(line: string): void
  signal: AbortSignal
}

export type OutageFigures = {
  log: 'kafka' | 'embedded'
  seconds: number
  /** Events a second that were really written while the store was away, and while the role caught up. */
  rate: number
  catchUpRate: number
  events: number
  lost: number
  doubled: number
  rowsCompared: number
  differ: number
  rssBeforeMb: number
  rssAwayMb: number
  rssCatchUpMb: number
  rssAfterMb: number
  bufferedAwayMb: number
  lagRecords: number
  /** Until /readyz said 503, from the outage's beginning; undefined: it never did. */
  toldAfterS: number | undefined
  catchUpS: number
}

/** Caught up: what waits is less than so much of the load. */
const caughtUpS = 2
const samplingMs = 1_000
/** What a simulated flush holds, about. */
const eventsPerFlush = 4

export async function runOutage(options: OutageOptions): Promise<OutageFigures> {
  const { note } = options
  const dir = mkdtempSync(join(tmpdir(), 'reelpulse-away-'))
  const cleanups: (() => Promise<unknown> | void)[] = [() => rmSync(dir, { recursive: true, force: true })]
  try {
    const kafka = options.embedded ? undefined : await startBroker(note)
    if (kafka !== undefined) cleanups.push(() => kafka.stop())
    const engine = await openEmbeddedEngine({ dataDir: join(dir, 'store') })
    cleanups.push(() => engine.close())
    const faults = await storeFaults(() => ({ socketPath: engine.url().slice('unix:'.length) }))
    cleanups.push(() => faults.close())
    const { user, password } = engine.owner()
    const env = {
      REELPULSE_DATA: join(dir, 'data'),
      KAFKA_BROKERS: kafka?.brokers ?? '',
      CLICKHOUSE_URL: faults.url,
      CLICKHOUSE_USER: user,
      CLICKHOUSE_PASSWORD: password,
    }
    const openLog = (): Promise<Log> =>
      kafka === undefined
        ? embeddedLog(join(dir, 'data', 'log'))
        : Promise.resolve(kafkaLog({ brokers: [kafka.brokers], clientId: 'reelpulse-load' }))

    const program = await startProgram(kafka === undefined ? ['start', '--rate', String(options.rate)] : ['process'], env)
    cleanups.push(() => program.kill())
    const traffic = kafka === undefined ? undefined : await startTraffic(await openLog(), options.rate)
    if (traffic !== undefined) cleanups.push(() => traffic.stop())
    const measured = await measure(options, program, faults)
    await traffic?.stop()
    await program.stop()
    note('processing the rest')
    const rest = await startProgram(['process', '--until-end'], env)
    cleanups.push(() => rest.kill())
    await rest.ended()
    return { log: kafka === undefined ? 'embedded' : 'kafka', ...measured, ...(await compare(await openLog(), engine, note)) }
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

async function startBroker(note: (line: string) => void): Promise<RunningKafka | undefined> {
  const backend = await kafkaBackend()
  if (!('missing' in backend)) return backend.start()
  note(`${backend.missing}: on the embedded log instead, whose memory and traffic are then the program's own`)
  return undefined
}

async function startTraffic(log: Log, rate: number): Promise<{ stop(): Promise<void> }> {
  const stopping = new AbortController()
  const running = liveTraffic(log, defaultTopic, { rate, seed: 1, faults: 0, signal: stopping.signal })
  // Told where it is waited for.
  running.catch(() => {})
  return {
    async stop() {
      if (stopping.signal.aborted) return
      stopping.abort()
      await running
      await log.close()
    },
  }
}

async function measure(options: OutageOptions, program: Program, faults: StoreFaults) {
  const { note, seconds, rate, signal } = options
  const samples: Sample[] = []
  async function watch(until: (last: Sample, elapsedS: number) => boolean, phase: string): Promise<{ from: number; lasted: number }> {
    const from = samples.length
    const startedAt = performance.now()
    for (let tells = 1; ;) {
      signal.throwIfAborted()
      const last = await program.sample()
      samples.push(last)
      const elapsedS = (performance.now() - startedAt) / 1_000
      if (until(last, elapsedS)) return { from, lasted: elapsedS }
      if (elapsedS >= tells * 15) {
        tells++
        note(
          `${phase}, ${Math.round(elapsedS)} s: ${last.lagRecords} records wait, ${last.rssMb} MB, ${last.ready ? 'ready' : 'not ready'}`,
        )
      }
      await sleep(samplingMs)
    }
  }
  const caughtUp = (last: Sample) => last.ready && last.lagRecords <= (rate * caughtUpS) / eventsPerFlush
  await watch((last, elapsedS) => elapsedS >= options.beforeS && caughtUp(last), 'before')
  const before = samples.at(-1)!

  faults.begin({ kind: 'refuse' })
  note(`the store is away for ${seconds} s`)
  const away = await watch((_, elapsedS) => elapsedS >= seconds, 'away')
  const awaySamples = samples.slice(away.from)
  const told = awaySamples.findIndex(({ ready }) => !ready)
  const atReturn = samples.at(-1)!

  await faults.end()
  note(`the store is back; ${atReturn.lagRecords} records wait`)
  const back = await watch(caughtUp, 'catching up')
  const after = samples.at(-1)!
  // Events a record are those of the whole run: while nothing is processed only records can be counted.
  const writtenASecond = (from: Sample, to: Sample, seconds: number) =>
    Math.round(((to.records + to.lagRecords - from.records - from.lagRecords) * (after.events / after.records)) / seconds)
  const mb = (of: readonly Sample[], key: 'rssMb' | 'bufferedMb') => of.reduce((most, sample) => Math.max(most, sample[key]), 0)
  return {
    seconds: Math.round(away.lasted),
    rate: writtenASecond(before, atReturn, away.lasted),
    catchUpRate: writtenASecond(atReturn, after, back.lasted),
    rssBeforeMb: before.rssMb,
    rssAwayMb: mb(awaySamples, 'rssMb'),
    rssCatchUpMb: mb(samples.slice(back.from), 'rssMb'),
    rssAfterMb: after.rssMb,
    bufferedAwayMb: mb(awaySamples, 'bufferedMb'),
    lagRecords: atReturn.lagRecords,
    toldAfterS: told < 0 ? undefined : Math.round(((told + 1) * away.lasted) / awaySamples.length),
    catchUpS: Math.round(back.lasted),
  }
}

async function compare(log: Log, engine: EmbeddedEngine, note: (line: string) => void) {
  note('comparing the store with the log')
  const written = await distinctIds(log, defaultTopic)
  await log.close()
  const store = engine.store(databaseOf(defaultTopic))
  const stored = (await store.query<DistinctIds>(storedIdsSql))[0]!
  const report = await verify(store, defaultSettings, { everything: false, users: undefined, rows: 50_000 })
  // As many ids, but other ones: that is one lost and one doubled at least.
  const exchanged = written.distinct === stored.distinct && written.sum !== stored.sum ? 1 : 0
  return {
    events: written.distinct,
    lost: Math.max(0, written.distinct - stored.distinct) + exchanged,
    doubled: stored.events - stored.distinct + Math.max(0, stored.distinct - written.distinct) + exchanged,
    rowsCompared: report.rowsCompared,
    differ: report.rowsDiffer,
  }
}

/** Its form is a promise: scripts read it. */
export function outageLine(of: OutageFigures): string {
  const peak = Math.max(of.rssAwayMb, of.rssCatchUpMb)
  return (
    `away ${of.seconds} s at ${of.rate} events/s: ${of.lost} lost, ${of.doubled} doubled, ${of.differ} differ, ` +
    `peak ${peak} MB (+${Math.max(0, peak - of.rssBeforeMb)} MB), caught up in ${of.catchUpS} s`
  )
}
