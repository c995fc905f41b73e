// How well incidents and their causes are found: simulated days through the product's own detection, as it is set.
import { allowedLatenessMs } from '../../../operators/kpi/catalogue.ts'
import { metricsOf } from '../../../operators/detect/watched.ts'
import type { Metric } from '../../../operators/detect/metric.ts'
import { dimensionNames, drawnKpiNames, isVisible, planOf, type Incident } from './plan.ts'
import { run, type Fired } from './run.ts'
import { score, type IncidentFigures, type Judged } from './score.ts'

export type IncidentOptions = {
  readonly days: number
  readonly incidents: number
  /** Days without any, after two weeks of history. */
  readonly quietDays: number
  readonly playsPerMinute: number
  readonly seed: number
  note(text: string): void
}

export type Evaluated = {
  readonly figures: IncidentFigures & { readonly quietDays: number; readonly quietFalseAlarms: number }
  readonly judged: readonly Judged[]
  readonly falseAlarms: readonly Fired[]
}

/** Incidents begin once there is so much history; with so little of it the same time of day is all that is known. */
const firstDay = 3
const quietHistoryDays = 14

export function evaluateIncidents({ days, incidents, quietDays, playsPerMinute, seed, note }: IncidentOptions): Evaluated {
  const metrics = metricsOf('minute').filter(({ name, kind }) => kind === 'presence' || drawnKpiNames.some((drawn) => drawn === name))
  const common = { metrics, latenessMs: allowedLatenessMs, playsPerMinute }
  const plan = planOf({ days, incidents, firstDay, seed })
  const fired = run({ ...common, plan, seed, historyDays: firstDay, note: (day) => note(`day ${day + 1} of ${days}`) })
  const metricOf = (incident: Incident): Metric => metrics.find(({ name }) => name === incident.kpi)!
  const scored = score(plan, fired, (incident) => {
    const { threshold, minimumDenominator } = metricOf(incident)
    return isVisible(incident, playsPerMinute, threshold, minimumDenominator)
  })
  const quiet = planOf({ days: quietHistoryDays + quietDays, incidents: 0, firstDay: quietHistoryDays, seed })
  const quietFired =
    quietDays === 0
      ? []
      : run({
          ...common,
          plan: quiet,
          seed: seed + 1,
          historyDays: quietHistoryDays,
          note: (day) => note(`quiet: day ${day + 1} of ${quiet.days}`),
        })
  return {
    figures: { ...scored.figures, quietDays, quietFalseAlarms: quietFired.length },
    judged: scored.judged,
    falseAlarms: [...scored.falseAlarms, ...quietFired],
  }
}

const cellsOf = (cells: readonly Readonly<Record<string, string | undefined>>[]) =>
  cells
    .map(
      (cell) => dimensionNames.flatMap((name) => (cell[name] === undefined ? [] : [`${name}=${cell[name]}`])).join(' and ') || 'everything',
    )
    .join('; ')

/** A line for an incident: what it was, and what was told of it. */
export function renderIncident({ incident, visible, found, delayMinutes, causesRight }: Judged): string {
  const { kpi, cells, drop, from } = incident
  const what = `${renderTime(from)} ${kpi} −${Math.round(drop * 100)} % in ${cellsOf(cells)}`
  if (found === undefined) return `${what}: missed${visible ? '' : ' (no watched cell shows it)'}`
  const causes = (told: Fired['later'], right: boolean) => `${told.verdict} ${cellsOf(told.causes)}${right ? '' : ' (wrong)'}`
  const { atOnce, later } = found
  return `${what}: fired after ${delayMinutes} min in ${found.dimension} ${found.value}; ${causes(atOnce, causesRight.atOnce)}, later ${causes(later, causesRight.later)}`
}

export const renderFalseAlarm = ({ kpi, dimension, value, atMinute, reason }: Fired): string =>
  `false alarm: ${renderTime(atMinute)} ${kpi} in ${dimension} ${value}: ${reason}`

const renderTime = (minute: number) =>
  `day ${Math.floor(minute / 1_440) + 1}, ${String(Math.floor((minute % 1_440) / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
