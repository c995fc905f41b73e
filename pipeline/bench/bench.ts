// The benchmark: what a million events cost, as the slope between two lengths of the same log, beside a baseline in the
// same run. A bare time on a shared machine proves nothing; a ratio of slopes does.
import type { Figures, Rig } from './runs.ts'
import { runProcess, runRolling } from './runs.ts'

export type Engine = { readonly name: string; readonly says: string; run(topic: string): Promise<Figures> }
export type Sizes = readonly [shorter: string, longer: string]
export type Measured = {
  name: string
  says: string
  /** Slope of the medians (CPU-seconds per million events). */
  cpuSecondsPerMillionEvents: number
  /** Of the engine process beside ours, where there is one. */
  engineCpuSecondsPerMillionEvents?: number
  rssMb: number
  rows: Readonly<Record<string, number>>
  operators: readonly string[]
}

export function engines(brokers: string, rig: Rig | undefined): Engine[] {
  const ours: Engine[] = [
    {
      name: 'rolling',
      says: '(a) decoding, validation, duplicates, windows, emission; a sink that sums',
      run: (topic) => runRolling(brokers, topic),
    },
    {
      name: 'process',
      says: '(b) the process role, every operator, blocks and checkpoints; null store',
      run: (topic) => runProcess(brokers, topic, 'null'),
    },
    { name: 'process+engine', says: '(c) the same, into the embedded engine', run: (topic) => runProcess(brokers, topic, 'engine') },
  ]
  if (rig === undefined) return ours
  return [
    {
      name: 'node-fast-kafkajs',
      says: 'the baseline: the fastest Node core behind kafkajs',
      run: (topic) => rig.fastKafkajs(brokers, topic),
    },
    ...ours,
  ]
}

export const median = (values: readonly number[]) => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Every engine on both lengths, round by round, interleaved. */
export async function measure(all: readonly Engine[], sizes: Sizes, rounds: number, note: (line: string) => void): Promise<Measured[]> {
  const runs = new Map(all.map((engine) => [engine.name, sizes.map((): Figures[] => [])]))
  for (let round = 1; round <= rounds; round++)
    for (const [i, topic] of sizes.entries())
      for (const engine of all) {
        const figures = await engine.run(topic)
        runs.get(engine.name)![i]!.push(figures)
        note(`round ${round} of ${rounds}: ${engine.name} on ${topic}: ${figures.cpuSeconds.toFixed(2)} CPU s, ${figures.rssMb} MB`)
      }
  return all.map((engine) => {
    const [shorter, longer] = runs.get(engine.name)! as [Figures[], Figures[]]
    const millions = (longer[0]!.events - shorter[0]!.events) / 1e6
    const slope = (of: (figures: Figures) => number) => (median(longer.map(of)) - median(shorter.map(of))) / millions
    const hasEngine = longer.some(({ engineCpuSeconds }) => (engineCpuSeconds ?? 0) > 0)
    return {
      name: engine.name,
      says: engine.says,
      cpuSecondsPerMillionEvents: slope(({ cpuSeconds }) => cpuSeconds),
      ...(hasEngine ? { engineCpuSecondsPerMillionEvents: slope(({ engineCpuSeconds }) => engineCpuSeconds ?? 0) } : {}),
      rssMb: median(longer.map(({ rssMb }) => rssMb)),
      rows: longer.at(-1)!.rows,
      operators: longer.at(-1)!.operators,
    }
  })
}
