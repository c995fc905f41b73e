// Naive twin of the rolling windows: sums over a user's accepted events, from all of them, every time.
import { behaviors } from '../../schemas/behavior-batch.ts'
import { behaviorMeasures, featureNames, windows, type Measure, type WindowSpec } from '../../schemas/measures.ts'
import type { AcceptedEvent } from './accepted.ts'

export type Features = Record<(typeof featureNames)[number], number>

type Timed = Pick<AcceptedEvent, 'eventAt' | 'clockAt'>
export type Measured = Timed & Pick<AcceptedEvent, 'behavior' | 'watchMs' | 'durationMs' | 'amountMinor'>

export const tileOf = (window: WindowSpec, eventAt: number) => Math.floor(eventAt / window.hopMs)

/** The tiles that the window at an instant covers, both ends included. */
export function tilesAt(window: WindowSpec, asOf: number): { first: number; last: number } {
  return { first: Math.floor((asOf - window.spanMs) / window.hopMs), last: Math.floor((asOf - 1) / window.hopMs) }
}

/** The instant at which the window has left a tile: (k + 1) · hop + W. */
export const tileLeavesAt = (window: WindowSpec, tile: number) => (tile + 1) * window.hopMs + window.spanMs

/** Did the window still hold the event's tile when the event arrived? */
export function arrivedInWindow(window: WindowSpec, event: Timed): boolean {
  return tileOf(window, event.eventAt) >= tilesAt(window, event.clockAt).first
}

export function isComplete(event: Pick<AcceptedEvent, 'behavior' | 'watchMs' | 'durationMs'>): boolean {
  return event.behavior === 'play' && event.watchMs! * 10 >= event.durationMs! * 9
}

/** What one event adds, by measure; nothing to those that are not there. */
export function measuresOf(event: Measured): Partial<Record<Measure, number>> {
  const added: Partial<Record<Measure, number>> = { [behaviorMeasures[behaviors.indexOf(event.behavior)]!]: 1 }
  if (event.behavior === 'play') added.watch_ms = event.watchMs!
  if (isComplete(event)) added.completes = 1
  if (event.behavior === 'purchase') added.amount_minor = event.amountMinor!
  return added
}

/** The sixty feature columns at `asOf`, from the events with clock_at before it. */
export function naiveRolling(events: readonly Measured[], asOf: number): Features {
  const sums = Object.fromEntries(featureNames.map((name) => [name, 0])) as Features
  const covered = windows.map((window) => ({ window, ...tilesAt(window, asOf) }))
  for (const event of events) {
    if (event.clockAt >= asOf) continue
    for (const { window, first, last } of covered) {
      const tile = tileOf(window, event.eventAt)
      if (tile < first || tile > last || !arrivedInWindow(window, event)) continue
      for (const [measure, added] of Object.entries(measuresOf(event)) as [Measure, number][]) sums[`${measure}_${window.name}`] += added
    }
  }
  return sums
}
