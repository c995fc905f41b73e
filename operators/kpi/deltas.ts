// What a block adds to the KPI counts, by grain, bucket and cell. Counted by the minute; hours and days are rolled up
// from the minutes when the block ends, for the measures here are sums.
import { behaviors, platforms, type Behavior } from '../../schemas/behavior-batch.ts'
import { cellDimensions, grains, kpiMeasures, type CellDimension, type KpiMeasure } from '../../schemas/tables/kpi-deltas.ts'
import { tiers } from '../../schemas/tiers.ts'
import type { Zone } from '../time/zone.ts'
import type { Dictionary } from '../users/dictionary.ts'
import { grown } from '../users/registry.ts'

const width = kpiMeasures.length
const COMPLETES = kpiMeasures.indexOf('completes')
const WATCH_MS = kpiMeasures.indexOf('watch_ms')
const AMOUNT_MINOR = kpiMeasures.indexOf('amount_minor')
const EVENTS = kpiMeasures.indexOf('events')

const counted: Partial<Record<Behavior, KpiMeasure>> = {
  register: 'registers', impression: 'impressions', click: 'clicks', play: 'plays', like: 'likes', comment: 'comments',
  share: 'shares', follow: 'follows', search: 'searches', purchase: 'purchases',
} // prettier-ignore
const measureOf = behaviors.map((behavior) => (counted[behavior] === undefined ? -1 : kpiMeasures.indexOf(counted[behavior])))

export type KpiDictionaries = Record<'channel' | 'region' | 'app_version' | 'category' | 'surface', Dictionary>

/** One cell of one bucket. `measures` holds from `start`, in the order of kpiMeasures. */
export type DeltaVisitor = (
  grain: number,
  bucketAt: number,
  dimension: number,
  value: string,
  measures: Float64Array,
  start: number,
) => void

export type KpiDeltas = {
  /** The cells that every event of the next flush belongs to, as codes. */
  beginFlush(platform: number, channel: number, region: number, appVersion: number, tier: number): void
  /** `category` and `surface`: code, or −1 for null. */
  add(t: number, behavior: number, completes: boolean, watchMs: number, amountMinor: number, category: number, surface: number): void
  endFlush(): void
  /** Visits every cell touched since the last call, minutes first, then hours, then days; and forgets them. */
  drain(visit: DeltaVisitor): void
}

/** Sums by (minute number, cell), open addressing. */
function sumsByCell() {
  let table = new Int32Array(1024) // row + 1, or 0; at most half full
  let minutes = new Int32Array(512)
  let cells = new Int32Array(512)
  let sums = new Float64Array(512 * width)
  let rows = 0

  const place = (minute: number, cell: number) => {
    const mixed = Math.imul(Math.imul(minute, 0x9e3779b1) ^ cell, 0x85ebca6b)
    return (mixed ^ (mixed >>> 15)) & (table.length - 1)
  }

  return {
    /** Start of the cell's sums in `sums()`. */
    at(minute: number, cell: number): number {
      let i = place(minute, cell)
      for (let row; (row = table[i]! - 1) >= 0; i = (i + 1) & (table.length - 1))
        if (minutes[row] === minute && cells[row] === cell) return row * width
      const row = rows++
      table[i] = row + 1
      minutes[row] = minute
      cells[row] = cell
      sums.fill(0, row * width, (row + 1) * width)
      if (rows === minutes.length) {
        minutes = grown(minutes, rows * 2)
        cells = grown(cells, rows * 2)
        sums = grown(sums, rows * 2 * width)
        table = new Int32Array(table.length * 2)
        for (let other = 0; other < rows; other++) {
          let j = place(minutes[other]!, cells[other]!)
          while (table[j] !== 0) j = (j + 1) & (table.length - 1)
          table[j] = other + 1
        }
      }
      return row * width
    },
    sums: () => sums,
    rows: () => rows,
    minute: (row: number) => minutes[row]!,
    cell: (row: number) => cells[row]!,
    clear() {
      table.fill(0)
      rows = 0
    },
  }
}

export function kpiDeltas(zone: Zone, dictionaries: KpiDictionaries): KpiDeltas {
  // Cell numbers: the values of every dimension one after the other.
  const names: Record<Exclude<CellDimension, 'clock'>, readonly string[]> = {
    all: [''], platform: platforms, channel: dictionaries.channel.names, region: dictionaries.region.names,
    app_version: dictionaries.app_version.names, category: dictionaries.category.names, surface: dictionaries.surface.names, tier: tiers,
  } // prettier-ignore
  const cells: { dimension: number; value: string }[] = []
  const first = Object.fromEntries(
    Object.entries(names).map(([dimension, values]) => {
      const start = cells.length
      for (const value of values) cells.push({ dimension: cellDimensions.indexOf(dimension as CellDimension), value })
      return [dimension, start]
    }),
  ) as Record<keyof typeof names, number>

  const byMinute = sumsByCell()
  const byHour = sumsByCell()
  const byDay = sumsByCell()
  const flushCells = new Int32Array(6)
  const flushSums = new Float64Array(width)
  let minute = 0
  let pending = false

  function addFlushSums(): void {
    for (let c = 0; c < flushCells.length; c++) {
      const start = byMinute.at(minute, flushCells[c]!)
      const sums = byMinute.sums()
      for (let m = 0; m < width; m++) sums[start + m]! += flushSums[m]!
    }
    flushSums.fill(0)
    pending = false
  }

  function addOne(cell: number, measure: number, completes: boolean, watchMs: number, amountMinor: number): void {
    const start = byMinute.at(minute, cell)
    const sums = byMinute.sums()
    if (measure >= 0) sums[start + measure]!++
    sums[start + EVENTS]!++
    if (completes) sums[start + COMPLETES]!++
    if (watchMs !== 0) sums[start + WATCH_MS]! += watchMs
    if (amountMinor !== 0) sums[start + AMOUNT_MINOR]! += amountMinor
  }

  function rollUp(into: ReturnType<typeof sumsByCell>, bucketOf: (atMs: number) => number): void {
    for (let row = 0; row < byMinute.rows(); row++) {
      const start = into.at(bucketOf(byMinute.minute(row) * 60_000) / 60_000, byMinute.cell(row))
      const sums = into.sums()
      const from = byMinute.sums()
      for (let m = 0; m < width; m++) sums[start + m]! += from[row * width + m]!
    }
  }

  function visitAll(grain: number, of: ReturnType<typeof sumsByCell>, visit: DeltaVisitor): void {
    for (let row = 0; row < of.rows(); row++) {
      const { dimension, value } = cells[of.cell(row)]!
      visit(grain, of.minute(row) * 60_000, dimension, value, of.sums(), row * width)
    }
    of.clear()
  }

  return {
    beginFlush(platform, channel, region, appVersion, tier) {
      flushCells[0] = first.all
      flushCells[1] = first.platform + platform
      flushCells[2] = first.channel + channel
      flushCells[3] = first.region + region
      flushCells[4] = first.app_version + appVersion
      flushCells[5] = first.tier + tier
    },
    add(t, behavior, completes, watchMs, amountMinor, category, surface) {
      const at = Math.floor(t / 60_000)
      if (at !== minute) {
        if (pending) addFlushSums()
        minute = at
      }
      pending = true
      const measure = measureOf[behavior]!
      if (measure >= 0) flushSums[measure]!++
      flushSums[EVENTS]!++
      if (completes) flushSums[COMPLETES]!++
      flushSums[WATCH_MS]! += watchMs
      flushSums[AMOUNT_MINOR]! += amountMinor
      if (category >= 0) addOne(first.category + category, measure, completes, watchMs, amountMinor)
      if (surface >= 0) addOne(first.surface + surface, measure, completes, watchMs, amountMinor)
    },
    endFlush() {
      if (pending) addFlushSums()
    },
    drain(visit) {
      rollUp(byHour, zone.startOfHour)
      rollUp(byDay, (at) => zone.startOfDay(zone.dayOf(at)))
      visitAll(grains.indexOf('minute'), byMinute, visit)
      visitAll(grains.indexOf('hour'), byHour, visit)
      visitAll(grains.indexOf('day'), byDay, visit)
    },
  }
}
