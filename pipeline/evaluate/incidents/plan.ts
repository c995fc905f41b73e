// What happens in the days that detection is tried on: incidents, which must be found, and changes that harm nothing and must not be.
import { stream, type Stream } from '../../traffic/generator/random.ts'

export const minuteMs = 60_000
export const dayMinutes = 1_440

export type Dimension = 'platform' | 'channel' | 'region' | 'app_version' | 'category' | 'surface'

/** What leaves differ in. `share`: of the traffic; `rate`: its KPIs against everyone's. */
export const dimensions: Readonly<Record<Dimension, readonly (readonly [value: string, share: number, rate: number])[]>> = {
  platform: [['android', 0.6, 1], ['ios', 0.4, 1.08]],
  channel: [['organic', 0.45, 1.05], ['paid', 0.25, 0.93], ['social', 0.2, 1], ['store', 0.1, 0.98]],
  region: [['east', 0.32, 1], ['south', 0.26, 1.03], ['north', 0.2, 0.99], ['west', 0.13, 0.96], ['abroad', 0.09, 0.9]],
  app_version: [['4.1.0', 0.2, 0.99], ['4.2.0', 0.8, 1], ['4.3.0', 0, 1.01]],
  category: [['comedy', 0.28, 1.06], ['music', 0.22, 1.02], ['food', 0.17, 0.98], ['sport', 0.13, 0.95], ['news', 0.12, 0.92], ['craft', 0.08, 1.05]],
  surface: [['feed', 0.7, 1], ['follow', 0.2, 1.1], ['search', 0.1, 0.85]],
} // prettier-ignore
export const dimensionNames = Object.keys(dimensions) as Dimension[]

/** The drawn KPIs: `rate` of everyone's at the usual hour. A `mean` is of so many units for each of the denominator. */
export const drawnKpis = {
  completion_rate: { rate: 0.45, of: 'plays' },
  interaction_rate: { rate: 0.06, of: 'plays' },
  click_through_rate: { rate: 0.018, of: 'impressions' },
} as const
export type DrawnKpi = keyof typeof drawnKpis
export const drawnKpiNames = Object.keys(drawnKpis) as DrawnKpi[]

export type TrueCell = Readonly<Partial<Record<Dimension, string>>>

export type Incident = {
  readonly kind: 'one cell' | 'two cells' | 'global'
  readonly kpi: DrawnKpi
  /** A global one has one cell, without dimensions. */
  readonly cells: readonly TrueCell[]
  /** Share of the KPI that is lost in the cells. */
  readonly drop: number
  /** Minutes since the first; [from, to). */
  readonly from: number
  readonly to: number
}

export type Harmless =
  | { readonly kind: 'campaign'; readonly from: number; readonly to: number; readonly channel: string; readonly times: number }
  | { readonly kind: 'halved'; readonly from: number; readonly to: number }
  /** The newest version takes over, over so many minutes. */
  | { readonly kind: 'release'; readonly from: number; readonly to: number }

export type Plan = { readonly days: number; readonly incidents: readonly Incident[]; readonly harmless: readonly Harmless[] }

const mostUnlike = 3

export type PlanOptions = { readonly days: number; readonly incidents: number; readonly firstDay: number; readonly seed: number }

/** Incidents spread evenly over the days from `firstDay` on, one at a time; harmless changes over the same days, whatever else happens. */
export function planOf({ days, incidents: count, firstDay, seed }: PlanOptions): Plan {
  const chance = stream()
  chance.start(seed, 0x9a11)
  const span = ((days - firstDay) * dayMinutes) / Math.max(1, count)
  const incidents = Array.from({ length: count }, (_, i): Incident => {
    const length = 30 + Math.floor(chance.unit() * 150)
    const from = Math.floor(firstDay * dayMinutes + i * span + chance.unit() * Math.max(0, span - length - 60))
    const kind = (['one cell', 'two cells', 'global'] as const)[i % 3]!
    return {
      kind,
      kpi: drawnKpiNames[Math.floor(chance.unit() * drawnKpiNames.length)]!,
      cells: kind === 'global' ? [{}] : kind === 'one cell' ? [anyCell(chance)] : twoCells(chance),
      drop: 0.15 + 0.45 * chance.unit(),
      from,
      to: from + length,
    }
  })
  const harmless: Harmless[] = []
  for (let day = firstDay; day + 4 <= days; day += 5) {
    const at = (hours: number) => (day * 24 + hours) * 60
    harmless.push({ kind: 'campaign', from: at(20), to: at(28), channel: 'paid', times: 2 }, { kind: 'halved', from: at(60), to: at(63) })
  }
  const release = Math.floor(days / 2) * dayMinutes
  harmless.push({ kind: 'release', from: release, to: release + 3 * dayMinutes })
  return { days, incidents, harmless }
}

/** A value of one dimension, at least a twelfth of the traffic; every fourth time of two dimensions. */
function anyCell(chance: Stream, not?: TrueCell): TrueCell {
  const first = anyDimension(chance)
  const cell: Partial<Record<Dimension, string>> = { [first]: anyValue(chance, first) }
  if (chance.unit() < 0.25) {
    let second = anyDimension(chance)
    while (second === first) second = anyDimension(chance)
    cell[second] = anyValue(chance, second)
  }
  return not !== undefined && Object.keys(not).some((name) => name in cell) ? anyCell(chance, not) : cell
}

/** Of other dimensions, and of like weight: what is lost in one is not lost in the other's noise. */
function twoCells(chance: Stream): TrueCell[] {
  for (;;) {
    const first = anyCell(chance)
    const second = anyCell(chance, first)
    const weights = [weightOf(first), weightOf(second)]
    if (Math.max(...weights) <= mostUnlike * Math.min(...weights)) return [first, second]
  }
}

/** Share of the traffic. */
const weightOf = (cell: TrueCell) =>
  dimensionNames.reduce((weight, name) => weight * (dimensions[name].find(([value]) => value === cell[name])?.[1] ?? 1), 1)

const anyDimension = (chance: Stream) => dimensionNames[Math.floor(chance.unit() * dimensionNames.length)]!

function anyValue(chance: Stream, dimension: Dimension): string {
  const values = dimensions[dimension].filter(([, share]) => share > 1 / 13)
  return values[Math.floor(chance.unit() * values.length)]![0]
}

/** Traffic against the busiest minute: low at five in the morning, high at nine in the evening, more at weekends. */
export function busyness(at: number): number {
  const hour = (at % dayMinutes) / 60
  const curve = 0.5 - 0.5 * Math.cos((2 * Math.PI * ((hour - 5 + 24) % 24) ** 1.12) / 24 ** 1.12)
  return (0.12 + 0.88 * curve) * (isWeekend(at) ? 1.25 : 1)
}

export const isWeekend = (at: number): boolean => Math.floor(at / dayMinutes) % 7 >= 5

export const impressionsPerPlay = 3

/**
 * Whether a cell that is watched (everything, or a value of one dimension) is to show the incident: it loses more than `threshold` there,
 * at the least volume that says anything, for two minutes.
 */
export function isVisible(incident: Incident, playsPerMinute: number, threshold: number, minimumDenominator: number): boolean {
  const perPlay = drawnKpis[incident.kpi].of === 'plays' ? 1 : impressionsPerPlay
  const watched: TrueCell[] = [
    {},
    ...incident.cells.flatMap((cell) => dimensionNames.flatMap((name) => (cell[name] === undefined ? [] : [{ [name]: cell[name] }]))),
  ]
  const isEnough = (weight: number) => {
    let enough = 0
    for (let at = incident.from; at < incident.to; at++)
      if (playsPerMinute * busyness(at) * weight * perPlay >= minimumDenominator) enough++
    return enough >= 2
  }
  return watched.some((cell) => incident.drop * coveredShare(incident, cell) > threshold && isEnough(weightOf(cell)))
}

/** Of a watched cell's traffic, what the incident's cells have. */
function coveredShare({ cells }: Incident, watched: TrueCell): number {
  const untouched = cells.reduce((left, cell) => left * (1 - weightOf({ ...cell, ...watched }) / weightOf(watched)), 1)
  return 1 - untouched
}
