// Compares the rows of a block with those of its naive twin: exact, but for affinities (1e-9, relative) and words of explanation.
import type { UserFeaturesRow } from '../../schemas/tables/user-features.ts'
import type { NaiveBlock } from '../naive/partition.ts'

/** What the twin and the fast operators must agree on. */
export type ComparableBlock = Pick<
  NaiveBlock,
  'firstOffset' | 'nextOffset' | 'blockAt' | 'events' | 'rejected' | 'features' | 'tierChanges' | 'kpiDeltas'
>

type Rows = readonly Readonly<Record<string, unknown>>[]

/** Differences in words, none where the blocks agree. `limit`: at most so many. */
export function differences(fast: ComparableBlock, naive: NaiveBlock, limit = 10): string[] {
  const found: string[] = []
  for (const name of ['firstOffset', 'nextOffset', 'blockAt'] as const)
    if (fast[name] !== naive[name]) found.push(`${name}: ${fast[name]}, naive ${naive[name]}`)
  compareRows('events', fast.events, naive.events, [], found)
  compareRows('rejected', fast.rejected, naive.rejected, ['detail'], found)
  compareRows('features', fast.features, naive.features, ['top_categories', 'top_affinities'], found)
  for (const [i, row] of fast.features.entries()) {
    const problem = i < naive.features.length ? affinityProblem(row, naive.features[i]!, naive.affinities[i]!) : undefined
    if (problem !== undefined) found.push(`features[${i}] of ${row.user_id} at ${row.as_of}: ${problem}`)
  }
  compareRows('tierChanges', fast.tierChanges, naive.tierChanges, [], found)
  // The order of cells is nobody's promise, but that the clock comes last.
  const clocks = fast.kpiDeltas.flatMap((row, i) => (row.dimension === 'clock' ? [i] : []))
  if (clocks.length !== 1 || clocks[0] !== fast.kpiDeltas.length - 1)
    found.push(`kpiDeltas: clock rows at ${clocks.join()} of ${fast.kpiDeltas.length}`)
  compareRows('kpiDeltas', fast.kpiDeltas.toSorted(byCell), naive.kpiDeltas.toSorted(byCell), [], found)
  return found.slice(0, limit)
}

function compareRows(table: string, fast: Rows, naive: Rows, except: readonly string[], found: string[]): void {
  if (fast.length !== naive.length) found.push(`${table}: ${fast.length} rows, naive ${naive.length}`)
  for (const [i, wanted] of naive.entries()) {
    const row = fast[i]
    if (row === undefined) {
      found.push(`${table}[${i}]: not there, naive ${text(wanted)}`)
      return
    }
    const names = new Set([...Object.keys(row), ...Object.keys(wanted)])
    const differing = [...names].filter((name) => !except.includes(name) && text(row[name]) !== text(wanted[name]))
    if (differing.length === 0) continue
    const columns = differing.map((name) => `${name} ${text(row[name])}, naive ${text(wanted[name])}`)
    found.push(
      `${table}[${i}] (${text(wanted['user_id'] ?? wanted['value'])} at ${text(wanted['as_of'] ?? wanted['offset'])}): ${columns.join('; ')}`,
    )
    if (fast.length !== naive.length) return // what follows is only shifted
  }
}

const byCell = (a: ComparableBlock['kpiDeltas'][number], b: ComparableBlock['kpiDeltas'][number]) => {
  const [x, y] = [a, b].map((row) => JSON.stringify([row.grain, row.bucket_at, row.dimension, row.value]))
  return x! < y! ? -1 : x! > y! ? 1 : 0
}

const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))

/**
 * Categories that the naive twin finds equal but for rounding may stand in either order, and either may be the fifth; so
 * each value is held against that of its own category, and the list as a whole against the five greatest values.
 */
export function affinityProblem(
  row: Pick<UserFeaturesRow, 'top_categories' | 'top_affinities'>,
  naive: Pick<UserFeaturesRow, 'top_affinities' | 'top_categories'>,
  all: ReadonlyMap<string, number>,
): string | undefined {
  const shown = () =>
    `${text(row.top_categories)} ${text(row.top_affinities)}, naive ${text(naive.top_categories)} ${text(naive.top_affinities)}`
  if (row.top_categories.length !== naive.top_categories.length || row.top_affinities.length !== naive.top_affinities.length) return shown()
  if (new Set(row.top_categories).size !== row.top_categories.length) return `a category twice: ${shown()}`
  for (const [i, category] of row.top_categories.entries()) {
    const value = row.top_affinities[i]!
    if (!close(value, naive.top_affinities[i]!) || !close(value, all.get(category) ?? NaN)) return shown()
    const next = row.top_affinities[i + 1]
    if (next === undefined) continue
    if (next > value) return `not in order: ${shown()}`
    if (next === value && row.top_categories[i + 1]! < category) return `a tie not in order of names: ${shown()}`
  }
  return undefined
}

/** Any value of a row, so that equal ones are equal texts. −0 is 0. */
function text(value: unknown): string {
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')
  if (value instanceof Map) return text(Object.fromEntries(value as Map<string, unknown>))
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    const sorted = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `{${sorted.map(([name, item]) => `${JSON.stringify(name)}:${text(item)}`).join()}}`
  }
  if (Array.isArray(value)) return `[${value.map(text).join()}]`
  return value === undefined ? 'undefined' : JSON.stringify(value)
}
