// What becomes of one KPI in one cell when one more bucket has closed: facts in, a decision and its reason out.
import type { Direction, Judgement } from './judge.ts'
import { hasDenominator, type Metric } from './metric.ts'
import { bucketsToResolve, recoveredShare, usualZ } from './settings.ts'
import { tellBucket, tellLimit, tellOff } from './tell.ts'

export type OpenState = 'pending' | 'firing' | 'recovering'

export type Facts = {
  readonly metric: Metric
  readonly judgement: Judgement
  /** The bucket is off, and stays so when all that was tested in this bucket is looked at together. */
  readonly believed: boolean
  /** The cell's alert, where one is not resolved. From firing on its baseline is frozen. */
  readonly alert: { readonly state: OpenState; readonly baseline: number; readonly direction: Direction } | undefined
  /** The alert's last transition was in the bucket just before this one. */
  readonly consecutive: boolean
  /** Buckets just before this one, since the alert fired, that were `recovered`. */
  readonly recoveredBefore: number
  /** The alert of cell `all` has fired and is not resolved; false for `all` itself. */
  readonly parentFiring: boolean
  /** Buckets in a row that make an alert. */
  readonly hold: number
  /** How a bucket is called: minute, hour, day. */
  readonly called: string
}

export type Decision = {
  /** undefined: nothing changes. */
  readonly to: OpenState | 'resolved' | undefined
  /** What the KPI was measured by; 0 where there was nothing to measure. */
  readonly baseline: number
  readonly because: string
}

/** Whether a bucket counts towards the end of an alert; undefined where it says nothing. */
export function recovered(metric: Metric, { value, z, expected }: Judgement, frozen: number, direction: Direction): boolean | undefined {
  if (Number.isNaN(value)) return undefined
  if (metric.kind === 'incident') return value === 0
  if (metric.kind === 'presence') return value > 0
  const within = (baseline: number) =>
    direction === 'fall'
      ? value > baseline - (1 - recoveredShare) * Math.abs(baseline)
      : value < baseline + (1 - recoveredShare) * Math.abs(baseline)
  if (hasDenominator(metric.kind)) return within(frozen)
  // A count of an hour at noon is no measure of one at night: its baseline goes on, without the buckets since the alert began.
  return within(expected?.baseline ?? frozen) || (direction === 'fall' ? z > -usualZ : z < usualZ)
}

export function decide(facts: Facts): Decision {
  const { alert } = facts
  return alert === undefined || alert.state === 'pending' ? decideFiring(facts, alert) : decideRecovery(facts, alert)
}

function decideFiring(facts: Facts, pending: Facts['alert']): Decision {
  const { metric, judgement, believed, hold } = facts
  const baseline = judgement.expected?.baseline ?? pending?.baseline ?? 0
  const because = tellBucket(facts)
  const decision = (to: Decision['to'], why: string): Decision => ({ to, baseline, because: why })
  if (believed && facts.parentFiring)
    return decision(pending === undefined ? undefined : 'resolved', `held back, for the same KPI is firing for all: ${because}`)
  const atOnce = hold === 1 || metric.kind === 'incident'
  if (pending === undefined) return decision(believed ? (atOnce ? 'firing' : 'pending') : undefined, because)
  if (believed && !facts.consecutive)
    return decision('resolved', `never fired, for the ${facts.called} after it was not looked at; now ${because}`)
  if (believed && judgement.off === pending.direction) return decision('firing', `second closed ${facts.called} in a row: ${because}`)
  return decision('resolved', `never fired, for the next ${facts.called} did not confirm it: ${because}`)
}

function decideRecovery(facts: Facts, alert: NonNullable<Facts['alert']>): Decision {
  const { metric, judgement, recoveredBefore, called } = facts
  const decision = (to: Decision['to'], because: string): Decision => ({ to, baseline: alert.baseline, because })
  const good = recovered(metric, judgement, alert.baseline, alert.direction)
  if (good === undefined) return decision(undefined, `${tellOff(metric, judgement)}: the ${called} says nothing`)
  const limit = tellLimit(facts, alert)
  if (!good) return decision(alert.state === 'recovering' ? 'firing' : undefined, `${tellOff(metric, judgement)} is not ${limit}`)
  const because = `${tellOff(metric, judgement)} is ${limit}`
  if (recoveredBefore + 1 >= bucketsToResolve) return decision('resolved', `${because}, ${bucketsToResolve} closed ${called}s in a row`)
  return decision(alert.state === 'firing' ? 'recovering' : undefined, because)
}
