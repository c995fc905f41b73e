// What became of each incident, and which alerts were none's.
import type { Explained, Fired } from './run.ts'
import { dimensionNames, type Incident, type Plan } from './plan.ts'

export type Judged = {
  readonly incident: Incident
  readonly visible: boolean
  /** The first alert that is this incident's. */
  readonly found: Fired | undefined
  /** Minutes from the drop's start to the firing: the bucket's end and the allowed lateness come on top. */
  readonly delayMinutes: number | undefined
  /** The causes are the incident's cells, neither more nor fewer: when it fired, and a while later. */
  readonly causesRight: { readonly atOnce: boolean; readonly later: boolean }
}

export type IncidentFigures = {
  readonly incidents: number
  readonly found: number
  readonly recall: number
  /** Incidents that a watched cell shows, beyond its threshold and at its least volume. */
  readonly visible: number
  readonly recallOfVisible: number
  readonly alerts: number
  readonly falseAlarms: number
  readonly precision: number
  readonly medianDelayMinutes: number | null
  /** Of those found. */
  readonly causesRightAtOnce: number
  readonly causesRightLater: number
}

/** An alert may come so much after an incident's end: the bucket and its confirmation. */
const lateMinutes = 3

export function score(
  plan: Plan,
  fired: readonly Fired[],
  isVisible: (incident: Incident) => boolean,
): { figures: IncidentFigures; judged: Judged[]; falseAlarms: Fired[] } {
  const belongs = (alert: Fired, { kpi, cells, from, to }: Incident) =>
    alert.kpi === kpi && alert.atMinute >= from && alert.atMinute < to + lateMinutes && cells.some((cell) => overlaps(alert, cell))
  const judged = plan.incidents.map((incident): Judged => {
    const found = fired.find((alert) => belongs(alert, incident))
    return {
      incident,
      visible: isVisible(incident),
      found,
      delayMinutes: found === undefined ? undefined : found.atMinute - incident.from,
      causesRight: {
        atOnce: found !== undefined && sameCells(found.atOnce, incident),
        later: found !== undefined && sameCells(found.later, incident),
      },
    }
  })
  const falseAlarms = fired.filter((alert) => !plan.incidents.some((incident) => belongs(alert, incident)))
  const visible = judged.filter((one) => one.visible)
  const found = judged.filter((one) => one.found !== undefined)
  const delays = found.map(({ delayMinutes }) => delayMinutes!).toSorted((a, b) => a - b)
  return {
    judged,
    falseAlarms,
    figures: {
      incidents: judged.length,
      found: found.length,
      recall: share(found.length, judged.length),
      visible: visible.length,
      recallOfVisible: share(visible.filter((one) => one.found !== undefined).length, visible.length),
      alerts: fired.length,
      falseAlarms: falseAlarms.length,
      precision: share(fired.length - falseAlarms.length, fired.length),
      medianDelayMinutes: delays[delays.length >> 1] ?? null,
      causesRightAtOnce: share(found.filter(({ causesRight }) => causesRight.atOnce).length, found.length),
      causesRightLater: share(found.filter(({ causesRight }) => causesRight.later).length, found.length),
    },
  }
}

/** The alert's cell has something of the incident's: the same value, or another dimension. */
const overlaps = ({ dimension, value }: Fired, cell: Incident['cells'][number]) =>
  dimensionNames.every((name) => name !== dimension || cell[name] === undefined || cell[name] === value)

function sameCells({ verdict, causes }: Explained, { kind, cells }: Incident): boolean {
  if (kind === 'global') return verdict === 'everything'
  const nameOf = (cell: Readonly<Record<string, string>>) =>
    dimensionNames.flatMap((name) => (cell[name] === undefined ? [] : [`${name}=${cell[name]}`])).join('&')
  return verdict === 'cells' && causes.map(nameOf).toSorted().join() === cells.map(nameOf).toSorted().join()
}

const share = (part: number, of: number) => (of === 0 ? 1 : Math.round((part / of) * 1000) / 1000)
