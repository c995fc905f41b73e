// A service in numbers: for each minute, what every leaf came to. Traffic has its days and weeks, rates have theirs, and both
// are restless beyond counting: everyone's together, and those of each dimension's value apart.
import { stream } from '../../traffic/generator/random.ts'
import {
  busyness, dayMinutes, dimensionNames, dimensions, drawnKpiNames, drawnKpis, impressionsPerPlay, isWeekend, type Plan, type TrueCell,
} from './plan.ts' // prettier-ignore

export type LeafMinute = {
  /** By measure, by leaf. Borrowed: valid until the next minute. */
  readonly plays: Float64Array
  readonly impressions: Float64Array
  readonly completion_rate: Float64Array
  readonly interaction_rate: Float64Array
  readonly click_through_rate: Float64Array
}
export const leafMeasures = ['plays', 'impressions', ...drawnKpiNames] as const
export type LeafMeasure = (typeof leafMeasures)[number]

export type World = {
  readonly leaves: number
  /** Of each dimension, each leaf's value. */
  readonly codes: readonly Uint32Array[]
  readonly values: readonly (readonly string[])[]
  minute(at: number): LeafMinute
}

export type WorldOptions = {
  readonly plan: Plan
  readonly seed: number
  /** At the busiest minute of a weekday. */
  readonly playsPerMinute: number
}

/** Relative standard deviation of everyone's rate and volume, and of a value's own, and for how long they last (minutes). */
const together = { deviation: 0.015, lasts: 30 }
const apart = { deviation: 0.01, lasts: 240 }

export function world({ plan, seed, playsPerMinute }: WorldOptions): World {
  const values = dimensionNames.map((name) => dimensions[name].map(([value]) => value as string))
  const leaves = values.reduce((product, { length }) => product * length, 1)
  const codes = values.map((list, d) => {
    const inner = values.slice(d + 1).reduce((product, { length }) => product * length, 1)
    return Uint32Array.from({ length: leaves }, (_, leaf) => Math.floor(leaf / inner) % list.length)
  })
  const chance = stream()
  chance.start(seed, 0x1eaf)
  const normal = () => Math.sqrt(-2 * Math.log(1 - chance.unit())) * Math.cos(2 * Math.PI * chance.unit())
  const restless = (count: number, { deviation, lasts }: typeof together) => {
    const now = Float64Array.from({ length: count }, () => deviation * normal())
    const stays = Math.exp(-1 / lasts)
    const moves = deviation * Math.sqrt(1 - stays * stays)
    return { now, move: () => now.forEach((value, i) => (now[i] = value * stays + moves * normal())) }
  }
  const volume = restless(1, together)
  const rates = restless(drawnKpiNames.length, together)
  const own = values.map((list) => restless(list.length * drawnKpiNames.length, apart))
  const minute = Object.fromEntries(leafMeasures.map((measure) => [measure, new Float64Array(leaves)])) as Record<LeafMeasure, Float64Array>
  const isIn = (cell: TrueCell, leaf: number) =>
    dimensionNames.every((name, d) => cell[name] === undefined || values[d]![codes[d]![leaf]!] === cell[name])
  const hit = plan.incidents.map(({ cells }) =>
    Uint8Array.from({ length: leaves }, (_, leaf) => Number(cells.some((cell) => isIn(cell, leaf)))),
  )

  return {
    leaves, codes, values,
    minute(at) {
      for (const one of [volume, rates, ...own]) one.move()
      const all = playsPerMinute * busyness(at) * halved(plan, at) * (1 + volume.now[0]!)
      const shares = dimensionNames.map((name) => sharesAt(plan, name, at))
      const running = plan.incidents.flatMap((incident, i) => (at >= incident.from && at < incident.to ? [{ incident, in: hit[i]! }] : []))
      const levels = drawnKpiNames.map((kpi, k) => drawnKpis[kpi].rate * mood(at) * (1 + rates.now[k]!))
      const factors = dimensionNames.map((name, d) =>
        drawnKpiNames.map((_, k) => Float64Array.from(dimensions[name], ([, , rate], v) => rate * (1 + own[d]!.now[v * drawnKpiNames.length + k]!))),
      ) // prettier-ignore
      for (let leaf = 0; leaf < leaves; leaf++) {
        let part = all
        for (let d = 0; d < codes.length; d++) part *= shares[d]![codes[d]![leaf]!]!
        minute.plays[leaf] = poisson(part)
        minute.impressions[leaf] = poisson(part * impressionsPerPlay)
        for (let k = 0; k < drawnKpiNames.length; k++) {
          const kpi = drawnKpiNames[k]!
          let rate = levels[k]!
          for (let d = 0; d < codes.length; d++) rate *= factors[d]![k]![codes[d]![leaf]!]!
          for (const { incident, in: inIt } of running) if (incident.kpi === kpi && inIt[leaf] === 1) rate *= 1 - incident.drop
          minute[kpi][leaf] = binomial(minute[drawnKpis[kpi].of][leaf]!, rate)
        }
      }
      return minute
    },
  } // prettier-ignore

  function poisson(mean: number): number {
    if (mean > 25) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
    const least = Math.exp(-mean)
    let count = 0
    for (let product = chance.unit(); product > least; product *= chance.unit()) count++
    return count
  }

  function binomial(of: number, rate: number): number {
    if (of * rate > 25) return Math.min(of, Math.max(0, Math.round(of * rate + Math.sqrt(of * rate * (1 - rate)) * normal())))
    let count = 0
    for (let i = 0; i < of; i++) if (chance.unit() < rate) count++
    return count
  }
}

/** How willing people are, by the hour and day: rates have a pattern too. */
const mood = (at: number) => (1 + 0.06 * Math.sin((2 * Math.PI * ((at % dayMinutes) / 60 - 15)) / 24)) * (isWeekend(at) ? 1.04 : 1)

const halved = ({ harmless }: Plan, at: number) =>
  harmless.some(({ kind, from, to }) => kind === 'halved' && at >= from && at < to) ? 0.5 : 1

function sharesAt({ harmless }: Plan, name: (typeof dimensionNames)[number], at: number): Float64Array {
  const shares = Float64Array.from(dimensions[name], ([, share]) => share)
  for (const change of harmless) {
    if (at < change.from) continue
    if (change.kind === 'release' && name === 'app_version') {
      const taken = 0.7 * Math.min(1, (at - change.from) / (change.to - change.from))
      shares[2] = taken
      shares[0]! *= 1 - taken
      shares[1]! *= 1 - taken
    }
    if (change.kind === 'campaign' && name === 'channel' && at < change.to)
      dimensions.channel.forEach(([channel], i) => (shares[i]! *= channel === change.channel ? change.times : 1))
  }
  return shares
}
