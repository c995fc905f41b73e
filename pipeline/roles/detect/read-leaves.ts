// The leaves of a KPI from table `events`: what it came to for each combination of six dimensions in each window, in one query.
import { earliestOf, type Windows } from '../../../operators/attribution/windows.ts'
import type { Counted } from '../../../operators/attribution/gather.ts'
import type { KpiOfEvents } from '../../../operators/kpi/event-sql.ts'
import { other } from '../../../operators/settings.ts'
import { firstWeekDays } from '../../../operators/kpi/spans.ts'
import type { CellDimension, Grain } from '../../../schemas/tables/kpi-deltas.ts'
import type { QueryParams, Store } from '../../ports/store.ts'

export const leafDimensions = ['platform', 'channel', 'region', 'app_version', 'category', 'surface'] as const
export type LeafDimension = (typeof leafDimensions)[number]

export type LeavesQuestion = {
  readonly kpi: KpiOfEvents
  readonly grain: Grain
  readonly windows: Windows
  /** Days are this zone's. */
  readonly zone: string
  /** Only events with a clock_at before it (ms): they are all there, whoever asks, and whenever. */
  readonly knownAt: number
  /** Not left out where there are too many leaves. */
  readonly cell: { readonly dimension: CellDimension; readonly value: string }
  /** Of each query; the engine gives it up after that. */
  readonly limitMs: number
}

export type LeavesAnswer =
  | {
      readonly kind: 'counted'
      readonly counted: Counted
      /** What one event weighs in the numerator. */
      readonly scale: number
      readonly leftOut: readonly LeafDimension[]
    }
  | { readonly kind: 'too_many' }

/** Rows (a leaf in a window) that are read at most, and what the engine may take for it. */
export const mostRows = 3_000_000
const mostMemoryBytes = 2_000_000_000
const mostTries = 3

export async function readLeaves(store: Store, question: LeavesQuestion, limit = mostRows): Promise<LeavesAnswer> {
  const known = await readValues(store, question)
  let dimensions: readonly LeafDimension[] = leafDimensions
  let { before } = question.windows
  for (let tries = 0; tries < mostTries; tries++) {
    const leftOut = leafDimensions.filter((name) => !dimensions.includes(name))
    const sizes = dimensions.reduce((product, name) => product * known[name].length, 1)
    const read = sizes > Number.MAX_SAFE_INTEGER ? undefined : await readOnce(store, question, dimensions, known, before, limit)
    if (read !== undefined) return { kind: 'counted', leftOut, ...read }
    // First with less to compare with; then without the dimension of most values.
    if (before > fewWindows) before = fewWindows
    else dimensions = withoutLargest(dimensions, known, question)
  }
  return { kind: 'too_many' }
}

const fewWindows = 4

function withoutLargest(dimensions: readonly LeafDimension[], known: Values, { cell }: LeavesQuestion): readonly LeafDimension[] {
  const [largest] = dimensions.filter((name) => name !== cell.dimension).toSorted((a, b) => known[b].length - known[a].length)
  return dimensions.filter((name) => name !== largest)
}

type Values = Readonly<Record<LeafDimension, readonly string[]>>

/** Of each dimension the values that count under their own name, and `other`; an empty one stands for none. */
async function readValues(store: Store, { grain, windows }: LeavesQuestion): Promise<Values> {
  const rows = await store.query<{ dimension: LeafDimension; names: string[] }>(
    `SELECT toString(dimension) AS dimension, arraySort(groupUniqArray(toString(value))) AS names FROM kpi_deltas
     WHERE dimension IN {dimensions:Array(String)} AND grain = {grain:String}
       AND bucket_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND bucket_at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
       AND block_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
     GROUP BY dimension`,
    { dimensions: leafDimensions, grain, from: earliestOf(windows), to: windows.from + windows.length },
  )
  const valuesOf = (name: LeafDimension) => {
    const names = rows.find(({ dimension }) => dimension === name)?.names ?? []
    return ['', ...new Set([...names.filter((value) => value !== ''), other])]
  }
  return Object.fromEntries(leafDimensions.map((name) => [name, valuesOf(name)])) as Record<LeafDimension, string[]>
}

type Packed = { total: number; amounts: string; squares: string; leaf: string; piece: string; numerator: string; denominator: string }

/** undefined: more than `limit` rows. */
async function readOnce(
  store: Store,
  question: LeavesQuestion,
  dimensions: readonly LeafDimension[],
  known: Values,
  before: number,
  limit: number,
): Promise<{ counted: Counted; scale: number } | undefined> {
  const { kpi } = question
  const windows = { ...question.windows, before }
  const [row] = await store.query<Packed>(
    leavesSql(kpi, dimensions, question.limitMs),
    paramsOf({ ...question, windows }, known, dimensions, limit),
  )
  if (row === undefined || row.total > limit) return undefined
  const values = dimensions.map((name) => known[name])
  // Σx² ÷ Σx: counted in this unit a sum of amounts scatters as a count does.
  const scale = kpi.amount === undefined || Number(row.amounts) === 0 ? 1 : Number(row.squares) / Number(row.amounts)
  const counted = {
    dimensions,
    values,
    leaf: wholeNumbers(row.leaf),
    window: new Uint8Array(bytesOf(row.piece)),
    numerator: new Float64Array(bytesOf(row.numerator)),
    denominator: kpi.denominator === undefined ? undefined : new Float64Array(bytesOf(row.denominator)),
    before,
  }
  return { counted, scale }
}

export function paramsOf(
  { windows, knownAt, kpi, zone }: Pick<LeavesQuestion, 'windows' | 'knownAt' | 'kpi' | 'zone'>,
  known: Values,
  dimensions: readonly LeafDimension[],
  limit: number,
): QueryParams {
  const earliest = earliestOf(windows)
  return {
    from: earliest,
    to: windows.from + windows.length,
    step: windows.step,
    length: windows.length,
    known_at: knownAt,
    most: limit + 1,
    ...(kpi.behaviors === undefined ? {} : { behaviors: kpi.behaviors }),
    ...(kpi.isOfFirstWeek ? { zone, registered_from: earliest - (firstWeekDays + 1) * 86_400_000 } : {}),
    ...Object.fromEntries(dimensions.map((name) => [`values_${name}`, known[name]])),
  }
}

/**
 * One row of packed columns: a million rows of JSON would be slow, and as objects large. Only names of ours are in the text: all else are
 * parameters. An event is never later than its block, so blocks that end before the first window are left out: months by the partition,
 * parts by its bounds. The table's key begins with the user, so of the rest the time of every event is read.
 */
export function leavesSql(
  { numerator, denominator, amount, behaviors, isOfFirstWeek }: KpiOfEvents,
  dimensions: readonly LeafDimension[],
  limitMs: number,
): string {
  const code = dimensions.reduceRight((rest, name) => {
    const own = codeSql(name)
    return rest === '' ? own : `${own} + length({values_${name}:Array(String)}) * (${rest})`
  }, '')
  const instant = (name: string) => `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`
  const registered = `LEFT JOIN (
        SELECT user_id AS registrant, min(event_at) AS registered_at FROM events
        WHERE behavior = 'register' AND event_at >= ${instant('registered_from')} AND block_at >= ${instant('registered_from')} AND clock_at < ${instant('known_at')}
        GROUP BY user_id
      ) AS registrations ON events.user_id = registrations.registrant`
  return `
    SELECT count() AS total, toString(sum(t.amounts)) AS amounts, toString(sum(t.squares)) AS squares,
      ${packed('leaf', 'UInt64')}, ${packed('piece', 'UInt8')}, ${packed('numerator', 'Float64')}, ${packed('denominator', 'Float64')}
    FROM (
      SELECT toUInt64(${code}) AS leaf, toUInt8(intDiv(back, {step:Int64})) AS piece, toFloat64(${numerator}) AS numerator,
        toFloat64(${denominator ?? '0'}) AS denominator,
        ${amount === undefined ? 'toUInt128(0) AS amounts, toUInt128(0) AS squares' : `sum(toUInt128(${amount})) AS amounts, sum(toUInt128(${amount}) * toUInt128(${amount})) AS squares`}
      FROM events ${isOfFirstWeek ? registered : ''}
      WHERE block_at >= ${instant('from')} AND event_at >= ${instant('from')} AND event_at < ${instant('to')} AND clock_at < ${instant('known_at')}
        AND ({to:Int64} - 1 - toUnixTimestamp64Milli(event_at) AS back) % {step:Int64} < {length:Int64}
        ${behaviors === undefined ? '' : 'AND behavior IN {behaviors:Array(String)}'}
      GROUP BY leaf, piece
      ORDER BY leaf, piece
      LIMIT {most:UInt32}
    ) AS t
    SETTINGS max_execution_time = ${Math.ceil(limitMs / 1000)}, max_memory_usage = ${mostMemoryBytes}`
}

/** The place of its value among {values}, of which the first stands for none. What is not listed counts as `other`, an empty value too. */
function codeSql(name: LeafDimension): string {
  const listed = `arrayPopFront({values_${name}:Array(String)})`
  const of = (value: string) =>
    `transform(${value}, ${listed}, arrayMap(i -> toUInt64(i), arrayEnumerate(${listed})), toUInt64(indexOf(${listed}, '${other}')))`
  if (name === 'category' || name === 'surface') return `if(${name} IS NULL, toUInt64(0), ${of(`toString(ifNull(${name}, ''))`)})`
  return of(`toString(${name})`)
}

/** Little-endian, one after the other. As a string of its own a number would lose its zeros; `concat` keeps them. */
const packed = (name: string, type: string) =>
  `base64Encode(arrayStringConcat(arrayMap(x -> concat(reinterpretAsFixedString(CAST(x, '${type}')), ''), groupArray(t.${name})))) AS ${name}`

/** A copy of its own, so that any typed array may lie over it. */
function bytesOf(text: string): ArrayBuffer {
  const bytes = Buffer.from(text, 'base64')
  const copy = new ArrayBuffer(bytes.length)
  new Uint8Array(copy).set(bytes)
  return copy
}

function wholeNumbers(text: string): Float64Array {
  const halves = new Uint32Array(bytesOf(text))
  return Float64Array.from({ length: halves.length / 2 }, (_, i) => halves[2 * i]! + halves[2 * i + 1]! * 4_294_967_296)
}
