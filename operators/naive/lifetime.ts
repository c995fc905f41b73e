// Naive twin of a user's lifetime and of what is counted in their last days.
import type { UserFeaturesRow } from '../../schemas/tables/user-features.ts'
import type { Zone } from '../time/zone.ts'
import type { AcceptedEvent } from './accepted.ts'

/** Is the zone day one of the last n at `asOf`: the day of `asOf` − 1 ms and the n − 1 before? */
export function inLastDays(zone: Zone, asOf: number, n: number): (event: Pick<AcceptedEvent, 'day'>) => boolean {
  const last = zone.dayOf(asOf - 1)
  return ({ day }) => day <= last && day > last - n
}

export const distinctDays = (events: readonly Pick<AcceptedEvent, 'day'>[]) => new Set(events.map((event) => event.day)).size

export type Lifetime = Pick<
  UserFeaturesRow,
  | 'platform' | 'channel' | 'region' | 'app_version'
  | 'first_seen_at' | 'registered_at' | 'last_seen_at' | 'last_purchase_at' | 'purchases' | 'amount_minor'
  | 'active_days_7d' | 'active_days_30d' | 'purchase_days_90d' | 'purchases_90d' | 'amount_minor_90d'
> // prettier-ignore

/** Of a user's accepted events with clock_at before `asOf`, in log order; there must be one. */
export function naiveLifetime(all: readonly AcceptedEvent[], zone: Zone, asOf: number): Lifetime {
  const events = all.filter((event) => event.clockAt < asOf)
  const purchases = events.filter((event) => event.behavior === 'purchase')
  const recentPurchases = purchases.filter(inLastDays(zone, asOf, 90))
  const latest = events.at(-1)!
  return {
    platform: latest.platform,
    channel: latest.channel,
    region: latest.region,
    app_version: latest.appVersion,
    first_seen_at: least(events)!,
    registered_at: least(events.filter((event) => event.behavior === 'register')),
    last_seen_at: greatest(events)!,
    last_purchase_at: greatest(purchases),
    purchases: purchases.length,
    amount_minor: spend(purchases),
    active_days_7d: distinctDays(events.filter(inLastDays(zone, asOf, 7))),
    active_days_30d: distinctDays(events.filter(inLastDays(zone, asOf, 30))),
    purchase_days_90d: distinctDays(recentPurchases),
    purchases_90d: recentPurchases.length,
    amount_minor_90d: spend(recentPurchases),
  }
}

const spend = (purchases: readonly AcceptedEvent[]) => purchases.reduce((sum, event) => sum + event.amountMinor!, 0)
const least = (events: readonly AcceptedEvent[]) =>
  events.reduce<number | null>((at, e) => (at === null || e.eventAt < at ? e.eventAt : at), null)
const greatest = (events: readonly AcceptedEvent[]) =>
  events.reduce<number | null>((at, e) => (at === null || e.eventAt > at ? e.eventAt : at), null)
