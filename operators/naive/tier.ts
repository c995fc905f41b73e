// Naive twin of the tiers: a user's facts, rung, changes and RFM scores, from all of their events.
import { ladder, rungOf, type TierFacts } from '../tiers/ladder.ts'
import { frequencyScore, monetaryScore, recencyScore } from '../tiers/rfm.ts'
import type { Zone } from '../time/zone.ts'
import type { AcceptedEvent } from './accepted.ts'
import { monthStarts } from './emission.ts'
import { distinctDays, inLastDays } from './lifetime.ts'

type Counted = Pick<AcceptedEvent, 'offset' | 'clockAt' | 'eventAt' | 'day' | 'behavior' | 'amountMinor'>

const isPurchase = (event: Counted) => event.behavior === 'purchase'
const spend = (purchases: readonly Counted[]) => purchases.reduce((sum, event) => sum + event.amountMinor!, 0)

/** What the ladder's rules look at, from the events with clock_at before `asOf`. */
export function naiveTierFacts(all: readonly Counted[], zone: Zone, asOf: number): TierFacts {
  const events = all.filter((event) => event.clockAt < asOf)
  const purchases = events.filter(isPurchase)
  const purchases90 = purchases.filter(inLastDays(zone, asOf, 90))
  return {
    registered: events.some((event) => event.behavior === 'register'),
    activeDays7: distinctDays(events.filter(inLastDays(zone, asOf, 7))),
    activeDays30: distinctDays(events.filter(inLastDays(zone, asOf, 30))),
    purchases30: purchases.filter(inLastDays(zone, asOf, 30)).length,
    purchaseDays90: distinctDays(purchases90),
    spend90Minor: spend(purchases90),
  }
}

export type RfmScores = { recency_score: number; frequency_score: number; monetary_score: number }

export function naiveRfm(all: readonly Counted[], zone: Zone, asOf: number): RfmScores {
  const purchases = all.filter((event) => event.clockAt < asOf && isPurchase(event))
  const recent = purchases.filter(inLastDays(zone, asOf, 90))
  const lastDay = Math.max(-Infinity, ...purchases.map((event) => event.day))
  return {
    recency_score: recencyScore(zone.dayOf(asOf - 1) - lastDay),
    frequency_score: frequencyScore(recent.length),
    monetary_score: monetaryScore(spend(recent)),
  }
}

/** Rung after a record whose clock is `clockAt`: promotion is immediate, and there is no other way but up. */
export function rungAfterRecord(current: number, events: readonly Counted[], zone: Zone, clockAt: number): number {
  return Math.max(current, rungOf(naiveTierFacts(events, zone, clockAt + 1)))
}

/** Rung after the evaluation at the start of a month: whatever rule holds then. It alone demotes. */
export function rungAtEvaluation(events: readonly Counted[], zone: Zone, monthStart: number): number {
  return rungOf(naiveTierFacts(events, zone, monthStart))
}

export type RungChange = { asOf: number; from: number; to: number; monthly: boolean }

/** Every change of one user up to a clock, from nothing but their accepted events in log order. */
export function naiveTierHistory(events: readonly Counted[], zone: Zone, clockAt: number): RungChange[] {
  if (events.length === 0) return []
  const changes: RungChange[] = []
  let rung = 0
  const move = (to: number, asOf: number, monthly: boolean) => {
    if (to !== rung) changes.push({ asOf, from: rung, to, monthly })
    rung = to
  }
  // An evaluation stands before the records of its own instant.
  const looks = [
    ...[...new Map(events.map((event) => [event.offset, event.clockAt])).entries()].map(([offset, at]) => ({ at, offset, monthly: false })),
    ...monthStarts(zone, events[0]!.clockAt, clockAt).map((at) => ({ at, offset: -1, monthly: true })),
  ].toSorted((a, b) => a.at - b.at || a.offset - b.offset)
  for (const { at, offset, monthly } of looks) {
    if (monthly) {
      move(rungAtEvaluation(events, zone, at), at, true)
    } else {
      const known = events.filter((event) => event.offset <= offset)
      move(rungAfterRecord(rung, known, zone, at), at, false)
    }
  }
  return changes
}

export const tierOf = (rung: number) => ladder[rung]!.tier
