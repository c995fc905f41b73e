// Kills `reelpulse detect` for real, again and again, while incidents come and go; then compares what it left with what an unkilled one leaves.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { views } from '../../../operators/views.ts'
import { tables } from '../../../schemas/tables/catalogue.ts'
import { openEmbeddedEngine } from '../../adapters/embedded-store.ts'
import { databaseOf, defaultTopic } from '../../config/names.ts'
import { logger } from '../../log/logger.ts'
import type { Store } from '../../ports/store.ts'
import { newDetection } from '../../roles/detect.ts'
import { delivery } from '../../roles/detect/delivery.ts'
import { startReceiver, type Receiver } from '../../testing/receiver.ts'
import { foldSeed, stream, type Stream } from '../../traffic/generator/random.ts'
import { program } from '../program.ts'
import { calmMinutes, minuteMs, trafficWriter } from './traffic.ts'

export type DetectRound = {
  /** Log time that passes before the kill. */
  minutes: number
  /** `start`: so long after the process was started. `told`, `stored`: after the receiver was told something, or a transition was stored. */
  moment: { kind: 'start' | 'told' | 'stored'; waitMs: number }
  /** Until it is started again. */
  awayMs: number
}

export type DetectChaosOptions = { plan: readonly DetectRound[]; seed: number; note: (line: string) => void; signal: AbortSignal }

export type DetectChaosFigures = {
  rounds: number
  /** Transitions that an unkilled detector stores, and this one did not, or that the receiver never took. */
  lost: number
  /** Transitions that are there twice, alerts of one KPI and cell that were open at the receiver at the same time. */
  doubled: number
  /** Transitions that are not what they should be, that nobody should have stored, or that came in the wrong order. */
  differ: number
  seed: number
  seconds: number
  /** Alerts that fired, and transitions, of an unkilled detector. */
  fired: number
  transitions: number
  /** POSTs of what the receiver had taken before: at least once is what is promised. */
  repeats: number
  complaints: string[]
  kept: string | undefined
}

export const isGood = ({ lost, doubled, differ, complaints }: DetectChaosFigures): boolean =>
  lost === 0 && doubled === 0 && differ === 0 && complaints.length === 0

export function planDetectRounds(seed: number, rounds: number): DetectRound[] {
  const chance = stream()
  chance.start(foldSeed(seed), 3)
  return Array.from({ length: rounds }, () => {
    const kind = (['start', 'told', 'stored'] as const)[Math.floor(chance.unit() * 3)]!
    const waitMs = Math.round((kind === 'start' ? 4_000 : 120) * chance.unit())
    const minutes = 1 + Math.floor(6 * chance.unit())
    return { minutes, moment: { kind, waitMs }, awayMs: chance.unit() < 0.5 ? 0 : Math.round(1_000 * chance.unit()) }
  })
}

const bin = fileURLToPath(new URL('../../cli/bin.js', import.meta.url))
const topic = defaultTopic
const settings = { topic, latenessMs: 120_000, zone: 'UTC' }
/** Log time after the last round in which all ends well. */
const lastMinutes = 30
/** Nothing of what a moment waits for need come: an incident may be far. */
const momentWithinMs = 6_000
const stuckAfterMs = 90_000

export async function runDetectChaos({ plan, seed, note, signal }: DetectChaosOptions): Promise<DetectChaosFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-chaos-detect-'))
  const startedAt = performance.now()
  const engine = await openEmbeddedEngine({ dataDir: directory, fsync: 'nothing' })
  const chance = stream()
  chance.start(foldSeed(seed), 4)
  const receiver = await startReceiver(() => answer(chance))
  let kept = true
  const detector = program({
    name: 'detect',
    words: [bin, 'detect', '--data', directory, '--port', '0', '--zone', settings.zone, '--webhook-url', receiver.url],
    env: {},
    logFile: join(directory, 'detect.log'),
  })
  try {
    const total = calmMinutes + plan.reduce((sum, { minutes }) => sum + minutes, 0) + lastMinutes
    const start = Math.floor(Date.now() / minuteMs) * minuteMs - (total + 10) * minuteMs
    const open = async (database: string) => {
      const store = engine.store(database)
      await store.migrate(tables, views)
      return store
    }
    const store = await open(databaseOf(topic))
    const write = trafficWriter(store, start, seed)
    await write(0, calmMinutes)
    let minute = calmMinutes
    let rounds = 0
    await detector.start()
    for (const { minutes, moment, awayMs } of plan) {
      if (signal.aborted) break
      note(`round ${rounds + 1} of ${plan.length}: ${minutes} minutes, kill -9 ${moment.waitMs} ms after ${wordsOf[moment.kind]}`)
      const before = { told: receiver.got.length, stored: await countOf(store) }
      await write(minute, (minute += minutes))
      const until = performance.now() + momentWithinMs
      if (moment.kind === 'told') while (receiver.got.length === before.told && performance.now() < until) await sleep(5)
      if (moment.kind === 'stored') while ((await countOf(store)) === before.stored && performance.now() < until) await sleep(20)
      await sleep(moment.waitMs)
      await detector.signal('SIGKILL')
      await sleep(awayMs)
      await detector.start()
      rounds++
    }
    await write(minute, (minute += lastMinutes))
    note('what an unkilled detector says of the same minutes')
    const twin = await open('reelpulse_unkilled')
    await trafficWriter(twin, start, seed)(0, minute)
    const expected = await undisturbed(twin)
    note(`${expected.length} transitions; waiting until the receiver has taken them`)
    const late = await untilTold(store, receiver, expected)
    const wrong = await detector.end()
    const complaints = [...detector.complaints(), ...(wrong === undefined ? [] : [wrong]), ...(late === undefined ? [] : [late])]
    const figures: DetectChaosFigures = {
      rounds, seed, ...compareAlerts(expected, await rowsOf(store), receiver), complaints, kept: undefined,
      seconds: Math.round((performance.now() - startedAt) / 1000),
    } // prettier-ignore
    kept = !isGood(figures)
    if (kept) figures.kept = directory
    return figures
  } finally {
    await detector.signal('SIGKILL')
    await receiver.close()
    await engine.close()
    if (!kept) rmSync(directory, { recursive: true, force: true })
    else note(`what there is is in ${directory}`)
  }
}

const wordsOf = { start: 'its start', told: 'the receiver was told', stored: 'a transition was stored' } as const

/** Some requests are refused for the moment, some answers are lost on the way. */
function answer(chance: Stream) {
  const drawn = chance.unit()
  return drawn < 0.12 ? 500 : drawn < 0.22 ? 'lose' : 200
}

type AlertLine = Readonly<Record<string, unknown>> & {
  readonly alert_id: string
  readonly sequence: number
  readonly state: string
  readonly kpi: string
  readonly dimension: string
  readonly value: string
}

const rowsOf = (store: Store): Promise<AlertLine[]> => store.query<AlertLine>('SELECT * FROM alerts ORDER BY alert_id, sequence')
const countOf = async (store: Store) => (await store.query<{ n: number }>('SELECT count() AS n FROM alerts'))[0]!.n
const nameOf = ({ alert_id: id, sequence }: Pick<AlertLine, 'alert_id' | 'sequence'>) => `${id}/${sequence}`

/** The same minutes, looked at by one detector that nobody kills. */
async function undisturbed(store: Store): Promise<AlertLine[]> {
  const ends = new AbortController()
  const log = logger('chaos', { level: 'silent' })
  try {
    const detection = newDetection({ store, settings, log, signal: ends.signal }, delivery([], { store, topic, log, signal: ends.signal }))
    while ((await detection.poll()) > 0);
  } finally {
    ends.abort()
  }
  return rowsOf(store)
}

async function untilTold(store: Store, receiver: Receiver, expected: readonly AlertLine[]): Promise<string | undefined> {
  let best = -1
  let progressAt = performance.now()
  for (;;) {
    const taken = new Set(receiver.taken().map(({ body }) => nameOf(body as AlertLine)))
    const missing = expected.filter((row) => !taken.has(nameOf(row)))
    if (missing.length === 0 && (await countOf(store)) >= expected.length) return undefined
    if (taken.size > best) [best, progressAt] = [taken.size, performance.now()]
    if (performance.now() - progressAt > stuckAfterMs)
      return `${missing.length} of ${expected.length} transitions did not come to the receiver, and nothing for ${stuckAfterMs / 1000} s`
    await sleep(100)
  }
}

export type Told = { readonly body: Readonly<Record<string, unknown>> }

/** `taken`: what the receiver took, in order. */
export function compareAlerts(
  expected: readonly AlertLine[],
  stored: readonly AlertLine[],
  receiver: { taken(): readonly Told[] },
): Pick<DetectChaosFigures, 'lost' | 'doubled' | 'differ' | 'fired' | 'transitions' | 'repeats'> {
  const there = new Map<string, AlertLine>()
  let doubled = 0
  for (const row of stored) {
    if (there.has(nameOf(row))) doubled++
    there.set(nameOf(row), row)
  }
  const should = new Map(expected.map((row) => [nameOf(row), row]))
  const firsts = new Map<string, number[]>()
  const openIn = new Map<string, string>()
  let repeats = 0
  let differ = 0
  for (const { body } of receiver.taken()) {
    const row = body as AlertLine
    const seen = firsts.get(row.alert_id) ?? []
    firsts.set(row.alert_id, seen)
    if (seen.includes(row.sequence)) {
      repeats++
      continue
    }
    // The first time of each comes after that of the one before.
    if (!should.has(nameOf(row)) || row.sequence !== seen.length) differ++
    seen.push(row.sequence)
    const cell = JSON.stringify([row.kpi, row.dimension, row.value])
    const open = openIn.get(cell)
    if (row.sequence === 0 && open !== undefined && open !== row.alert_id) doubled++
    if (row.state !== 'resolved') openIn.set(cell, row.alert_id)
    else if (open === row.alert_id) openIn.delete(cell)
  }
  let lost = 0
  for (const [name, row] of should) {
    const found = there.get(name)
    if (found === undefined || firsts.get(row.alert_id)?.includes(row.sequence) !== true) lost++
    else if (JSON.stringify(found) !== JSON.stringify(row)) differ++
  }
  for (const name of there.keys()) if (!should.has(name)) differ++
  return { lost, doubled, differ, repeats, transitions: expected.length, fired: expected.filter(({ state, fired_at: at, decided_at: decided }) => state === 'firing' && at === decided).length } // prettier-ignore
}
