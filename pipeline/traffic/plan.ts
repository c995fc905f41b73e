// From what was asked on the command line to what is simulated: live traffic, or a span of log time at full speed.
import { zone } from '../../operators/time/zone.ts'
import type { Problem } from '../config/value.ts'
import { durationForm, durationMs, instantForm, instantMs } from './duration.ts'
import { readIncident } from './incident-text.ts'
import type { Incident } from './generator/incident.ts'

export type SimulationWish = {
  rate?: number | undefined
  span?: string | undefined
  events?: number | undefined
  from?: string | undefined
  for?: string | undefined
  incident?: string | undefined
}

export type SimulationPlan =
  | { kind: 'live'; rate: number; forMs: number; incidents: (startMs: number) => Incident[] }
  | {
      kind: 'span'
      eventsPerSecond: number
      fromMs: number
      /** The start was asked for, not chosen. */
      exactFrom: boolean
      spanMs?: number
      events?: number
      incidents: (startMs: number) => Incident[]
    }

/** Five weeks and three days: a month begins in it, at least a week after its start, and KPI deltas, which are kept 40 days, hold it. */
export const defaultSpanMs = 38 * 86_400_000
export const defaultRate = 500
/** Of a span without a number of events. */
const defaultSpanRate = 10

/** What cannot be done is a list of problems. `nowMs` only chooses a default start: the last midnight minus the span. */
export function planSimulation(
  wish: SimulationWish,
  nowMs: number,
  zoneName: string,
): SimulationPlan | { kind: 'wrong'; problems: Problem[] } {
  const problems: Problem[] = []
  const read = (flag: string, text: string | undefined, parse: (text: string) => number | undefined, wants: string): number | undefined => {
    if (text === undefined) return undefined
    const value = parse(text)
    if (value === undefined || !(value > 0)) problems.push({ where: `--${flag}`, got: text, wants })
    return value
  }
  const asked = read('span', wish.span, durationMs, durationForm)
  const from = read('from', wish.from, instantMs, instantForm)
  const forMs = read('for', wish.for, durationMs, durationForm)
  const incident = wish.incident === undefined ? undefined : readIncident(wish.incident)
  if (incident?.ok === false) problems.push({ where: '--incident', got: wish.incident!, wants: incident.wants })
  const isSpan = wish.span !== undefined || wish.events !== undefined || wish.from !== undefined
  if (isSpan && forMs !== undefined)
    problems.push({ where: '--for', got: wish.for!, wants: 'live traffic: without --span, --events and --from' })
  if (problems.length > 0) return { kind: 'wrong', problems }
  const incidents = incident?.ok === true ? (startMs: number) => [incident.at(startMs)] : () => []
  if (!isSpan) return { kind: 'live', rate: wish.rate ?? defaultRate, forMs: forMs ?? Infinity, incidents }

  const { events, rate } = wish
  // Of span, events and rate two give the third.
  const spanMs = asked ?? (events !== undefined && rate !== undefined ? (events / rate) * 1000 : defaultSpanMs)
  const eventsPerSecond = rate ?? (events === undefined ? defaultSpanRate : events / (spanMs / 1000))
  const days = zone(zoneName)
  // A number of events is reached sooner or later than on average (they come by sessions of about fourteen), but it must not be
  // in the future, which brokers refuse.
  const marginMs = events === undefined ? 0 : spanMs * Math.min(1, 3 / Math.sqrt(events / 14))
  const fromMs = from ?? days.startOfDay(days.dayOf(nowMs)) - Math.ceil(spanMs + marginMs)
  return {
    kind: 'span',
    eventsPerSecond,
    fromMs,
    exactFrom: from !== undefined,
    incidents,
    // With events alone, or with a rate, their number is what ends it.
    ...(events === undefined || (asked !== undefined && rate !== undefined) ? { spanMs } : {}),
    ...(events === undefined ? {} : { events }),
  }
}
