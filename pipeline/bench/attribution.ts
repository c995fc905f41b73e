// How fast causes are found among many leaves: a million by default, six dimensions, two causes of two dimensions each planted.
import { attribute } from '../../operators/attribution/attribute.ts'
import { cellName, type Leaves } from '../../operators/attribution/leaves.ts'
import { chance } from '../simulation/chance.ts'

const dimensions = ['platform', 'channel', 'region', 'app_version', 'category', 'surface']
const sizes = [4, 12, 34, 20, 24, 8]
const step = 1_000_003
export const mostLeaves = sizes.reduce((product, size) => product * size, 1)

export type AttributionFigures = {
  readonly leaves: number
  /** Of the fastest round. */
  readonly seconds: number
  readonly firstSeconds: number
  /** Of the cheapest round, with the other threads of the process. */
  readonly cpuSeconds: number
  readonly leavesPerSecond: number
  readonly rssMb: number
  readonly found: string
}

/** The fastest of `rounds`; each after the first runs on compiled code. */
export function measureAttribution(count: number, rounds: number): AttributionFigures {
  const leaves = plantedLeaves(count)
  let seconds = Infinity
  let firstSeconds = NaN
  let cpuSeconds = Infinity
  let found = ''
  for (let round = 0; round < rounds; round++) {
    const begunAt = performance.now()
    const cpuBefore = process.cpuUsage()
    const { causes } = attribute(leaves, { direction: 'fall' })
    const taken = (performance.now() - begunAt) / 1000
    const { user, system } = process.cpuUsage(cpuBefore)
    cpuSeconds = Math.min(cpuSeconds, (user + system) / 1e6)
    if (round === 0) firstSeconds = taken
    seconds = Math.min(seconds, taken)
    found = causes.map(({ cell }) => cellName(cell)).join('; ')
  }
  const rssMb = Math.round(process.resourceUsage().maxRSS / 1024)
  return { leaves: count, seconds, firstSeconds, cpuSeconds, leavesPerSecond: Math.round(count / seconds), rssMb, found }
}

/** Plays and completes: 45 % complete, but in this bucket fewer of one app version on one platform, and on one surface by one channel. */
function plantedLeaves(count: number): Leaves {
  const { unit } = chance(7, 0)
  // Leaves are different combinations, spread over all there are: the step shares no factor with their number.
  const codes = sizes.map(() => new Uint32Array(count))
  for (let i = 0; i < count; i++)
    for (let d = 0, rest = (i * step) % mostLeaves; d < sizes.length; d++) {
      codes[d]![i] = rest % sizes[d]!
      rest = Math.floor(rest / sizes[d]!)
    }
  const column = (of: (i: number) => number) => Float64Array.from({ length: count }, (_, i) => of(i))
  const denominator = column(() => 1 + Math.floor(40 * unit() ** 4))
  const baselineDenominator = column((i) => Math.floor(denominator[i]! * 20 * (0.5 + unit())))
  const counted = (of: number, rate: number) => Math.min(of, Math.max(0, Math.round(of * rate + Math.sqrt(of) * (unit() - 0.5))))
  const isIn = (i: number, a: number, codeA: number, b: number, codeB: number) => codes[a]![i] === codeA && codes[b]![i] === codeB
  const rateOf = (i: number) => (isIn(i, 0, 1, 3, 2) ? 0.3 : isIn(i, 1, 3, 5, 0) ? 0.33 : 0.45)
  return {
    dimensions,
    values: sizes.map((size) => Array.from({ length: size }, (_, code) => `v${code}`)),
    codes,
    denominator,
    baselineDenominator,
    numerator: column((i) => counted(denominator[i]!, rateOf(i))),
    baselineNumerator: column((i) => counted(baselineDenominator[i]!, 0.45)),
    baselineBuckets: 20,
    spread: 0.01,
  }
}
