// A run of chaos: rounds of deeds under load, then all that is left is processed, and compared with what was produced.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Log } from '../ports/log.ts'
import { blocksReach, compare, sumOf, type Comparison } from './compare.ts'
import { embeddedRig } from './embedded-rig.ts'
import { kafkaRig, NoBroker } from './kafka-rig.ts'
import { startLoad, type Ledger } from './load.ts'
import { describeRound, type Mode, type Moment, type Part, type Round } from './plan.ts'
import { readRecords } from './read-records.ts'
import { surroundings, type Rig } from './rig.ts'

export type ChaosOptions = {
  mode: Mode
  plan: readonly Round[]
  /** Of the load. */
  seed: number
  eventsPerSecond: number
  /** Progress, line by line. */
  note: (line: string) => void
  /** Aborted: no further round; what there is is compared. */
  signal: AbortSignal
}

export type ChaosFigures = {
  rounds: number
  lost: number
  doubled: number
  differ: number
  seed: number
  mode: Mode
  seconds: number
  comparison: Comparison
  rowsCompared: number
  /** Acknowledged by the log. */
  flushes: number
  repeats: number
  /** Appends of which nobody knew whether the log had them. */
  unsure: number
  /** How often a process found that its partitions were another's by now. */
  sessionsLost: number
  /** What programs told that must not be: a partition that stopped, an end that nobody caused. */
  complaints: string[]
  /** Where everything is kept; undefined where all was right. */
  kept: string | undefined
}

export const isGood = ({ lost, doubled, differ, complaints }: ChaosFigures): boolean =>
  lost === 0 && doubled === 0 && differ === 0 && complaints.length === 0

export async function runChaos(options: ChaosOptions): Promise<ChaosFigures> {
  const { mode, plan, seed, note, signal } = options
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-chaos-'))
  const startedAt = performance.now()
  let rig: Rig | undefined
  let kept = true
  try {
    rig = await (mode === 'kafka' ? kafkaRig(directory) : embeddedRig(directory))
    const load = startLoad({ seed, eventsPerSecond: options.eventsPerSecond, append: rig.append })
    const { ledger } = load
    let rounds = 0
    for (const round of plan) {
      if (signal.aborted) break
      note(`round ${rounds + 1} of ${plan.length}: ${describeRound(round)}`)
      await untilMoment(rig, round.moment, ledger)
      await carryOut(rig, round)
      rounds++
    }
    await untilLoaded(ledger, lastFlushes)
    await load.stop()
    const ends = await rig.endsOf(rig.topic)
    note(`${ledger.flushes} flushes acknowledged; waiting until all is processed`)
    const drained = await untilProcessed(rig, ends, note)
    const complaints = [...(await rig.stopPrograms()), ...rig.complaints()]
    if (drained !== undefined) complaints.unshift(drained)

    note('comparing')
    const { store, log } = await rig.settle()
    const comparison = await compare(store, log, rig.topic, ledger)
    const verified = await verifyAll(rig.environment())
    comparison.differ['verify'] = verified.rowsDiffer
    const [lost, doubled, differ] = [comparison.lost, comparison.doubled, comparison.differ].map(sumOf) as [number, number, number]
    const figures: ChaosFigures = {
      rounds, lost, doubled, differ, seed, mode, comparison, complaints, kept: undefined,
      seconds: Math.round((performance.now() - startedAt) / 1000), rowsCompared: verified.rowsCompared,
      flushes: ledger.flushes, repeats: ledger.repeats, unsure: ledger.unsure, sessionsLost: rig.sessionsLost(),
    } // prettier-ignore
    kept = !isGood(figures)
    if (kept) {
      figures.kept = directory
      writeFileSync(join(directory, 'figures.json'), `${JSON.stringify({ ...figures, verified }, null, 2)}\n`)
      await keepTopics(log, directory)
    }
    return figures
  } catch (error) {
    kept = !(error instanceof NoBroker)
    if (kept) note(`the run broke off; what there is is in ${directory}`)
    throw error
  } finally {
    await rig?.close()
    if (!kept) rmSync(directory, { recursive: true, force: true })
  }
}

const startedWithinMs = 20_000
const grownWithinMs = 5_000

/** Acknowledged in a round before its deed, and after the last. */
const roundFlushes = 50
const lastFlushes = 200
const loadedWithinMs = 60_000

async function untilLoaded(ledger: Ledger, flushes: number): Promise<void> {
  const until = performance.now() + loadedWithinMs
  const wanted = ledger.flushes + flushes
  while (ledger.flushes < wanted && performance.now() < until) await sleep(20)
}

async function untilMoment(rig: Rig, { kind, waitMs }: Moment, ledger: Ledger): Promise<void> {
  // A start is interesting before the load is back, the others only with it.
  if (kind !== 'start') await untilLoaded(ledger, roundFlushes)
  if (kind === 'start') await Promise.race([rig.started(), sleep(startedWithinMs)])
  if (kind === 'checkpoint') {
    const until = performance.now() + grownWithinMs
    const before = sumEnds(await rig.endsOf(rig.changelog).catch(() => []))
    while (performance.now() < until && sumEnds(await rig.endsOf(rig.changelog).catch(() => [])) === before) await sleep(10)
  }
  await sleep(waitMs)
}

const sumEnds = (ends: readonly number[]) => ends.reduce((sum, end) => sum + end, 0)

/** Others cannot start without these. */
const first: readonly Part[] = ['broker', 'engine', 'program']

async function carryOut(rig: Rig, { deed, parts, forMs }: Round): Promise<void> {
  const handles = parts.toSorted((a, b) => Number(first.includes(b)) - Number(first.includes(a))).map((part) => rig.parts[part]!)
  const all = (name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT') => Promise.all(handles.map((handle) => handle.signal(name)))
  if (deed === 'pause') {
    await all('SIGSTOP')
    await sleep(forMs)
    await all('SIGCONT')
    return
  }
  await all(deed === 'kill' ? 'SIGKILL' : 'SIGTERM')
  await sleep(forMs)
  for (const handle of handles) await handle.start()
}

/** Without any progress. */
const stuckAfterMs = 180_000

/** What was wrong, where it does not come to the end. */
async function untilProcessed(rig: Rig, ends: readonly number[], note: (line: string) => void): Promise<string | undefined> {
  const store = rig.look()
  let progressAt = performance.now()
  let best = -1
  let toldAt = performance.now()
  try {
    for (;;) {
      // Blocks are in the tables before their messages are sent, with the checkpoint: a stop amid a rebalance would leave them to the next owner.
      const [stored, covered] = await Promise.all([blocksReach(store).catch(() => []), rig.covered().catch(() => [])])
      const reached = ends.map((_, partition) => Math.min(stored[partition] ?? 0, covered[partition] ?? 0))
      if (ends.every((end, partition) => reached[partition]! >= end)) return undefined
      const sum = sumEnds(ends.map((end, partition) => Math.min(end, reached[partition]!)))
      const now = performance.now()
      if (sum > best) [best, progressAt] = [sum, now]
      const where = `processed ${reached.join(', ')} of ${ends.join(', ')}`
      if (now - progressAt > stuckAfterMs) return `not processed to the end: ${where}, and nothing for ${stuckAfterMs / 1000} s`
      if (now - toldAt > 5_000) {
        toldAt = now
        note(where)
      }
      await sleep(200)
    }
  } finally {
    await store.close()
  }
}

type Verified = { rowsCompared: number; rowsDiffer: number }

/** The command itself, as a user runs it. */
async function verifyAll(environment: Readonly<Record<string, string>>): Promise<Verified> {
  const bin = fileURLToPath(new URL('../cli/bin.js', import.meta.url))
  const child = spawn(process.execPath, [bin, 'verify', '--all', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...surroundings(), ...environment },
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  const last = out.trimEnd().split('\n').at(-1)
  if ((code !== 0 && code !== 1) || last === undefined || !last.startsWith('{')) throw new Error(`verify ended with ${code}:\n${err}${out}`)
  return JSON.parse(last) as Verified
}

/** The broker's files go with it. */
async function keepTopics(log: Log, directory: string): Promise<void> {
  mkdirSync(join(directory, 'topics'))
  for (const topic of await log.listTopics()) {
    const lines: string[] = []
    await readRecords(log, topic, ({ key, value, ...record }) => {
      const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('latin1'))
      lines.push(JSON.stringify({ ...record, key: text(key), value: text(value) }))
    })
    writeFileSync(join(directory, 'topics', `${topic}.jsonl`), lines.join('\n'))
  }
}
