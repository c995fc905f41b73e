// What becomes of one KPI in one cell when one more bucket has closed: facts in, a decision and its reason out.
import type { Facts, OpenAlert, OpenState } from './facts.ts'
import type { Judgement } from './judge.ts'
import { hasDenominator, type Metric } from './metric.ts'
import { bucketsToResolve, recoveredShareOf, usualZ } from './settings.ts'
import { tellBucket, tellLimit, tellOff } from './tell.ts'

export type Decision = {
  /** undefined: nothing changes. */
  readonly to: OpenState | 'resolved' | undefined
  /** What the KPI was measured by; 0 where there was nothing to measure. */
  readonly baseline: number
  readonly because: string
}

/** Whether a bucket counts towards the end of an alert; undefined where it says nothing. */
export function recovered(metric: Metric, { value, z, expected }: Judgement, alert: OpenAlert): boolean | undefined {
  if (Number.isNaN(value)) return undefined
  if (metric.kind === 'incident') return value === 0
  if (metric.kind === 'presence') return value > 0
  const falls = alert.direction === 'fall'
  const within = (baseline: number, allowed: number) =>
    falls ? value > baseline - allowed * Math.abs(baseline) : value < baseline + allowed * Math.abs(baseline)
  const allowed = 1 - recoveredShareOf(metric)
  if (hasDenominator(metric.kind)) return within(alert.baseline, allowed)
  // A count of an hour at noon is no measure of one at night: its baseline goes on, without the buckets since the alert began.
  const baseline = expected?.baseline ?? alert.baseline
  // Figures that always scatter by more than that are back where they are as usual; but in a quiet hour all looks usual.
  return within(baseline, allowed) || ((falls ? z > -usualZ : z < usualZ) && within(baseline, alert.depth / 2))
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
  if (believed && facts.explainedBy !== undefined)
    return decision(
      pending === undefined ? undefined : 'resolved',
      `held back, for ${facts.explainedBy.dimension} ${facts.explainedBy.value} fires, outside of which it is no drop by itself: ${because}`,
    )
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
  const good = recovered(metric, judgement, alert)
  if (good === undefined) return decision(undefined, `${tellOff(metric, judgement)}: the ${called} says nothing`)
  const limit = tellLimit(facts, alert)
  if (!good) return decision(alert.state === 'recovering' ? 'firing' : undefined, `${tellOff(metric, judgement)} is not ${limit}`)
  const because = `${tellOff(metric, judgement)} is ${limit}`
  if (recoveredBefore + 1 >= bucketsToResolve) return decision('resolved', `${because}, ${bucketsToResolve} closed ${called}s in a row`)
  return decision(alert.state === 'firing' ? 'recovering' : undefined, because)
}
