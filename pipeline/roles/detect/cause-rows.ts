// What an attribution found as rows of `alert_causes`, and back as it is told.
import type { Effects } from '../../../operators/attribution/effects.ts'
import { earliestOf, revisions, type Revision, type Windows } from '../../../operators/attribution/windows.ts'
import { causeCellText, type ToldCauses } from '../../../operators/alerts/tell.ts'
import { encodeRows } from '../../../schemas/row-binary.ts'
import { alertCausesTable, type AlertCauseRow, type CauseVerdict } from '../../../schemas/tables/alert-causes.ts'
import type { InsertBlock, Store } from '../../ports/store.ts'
import { uuidBytes } from '../../uuid.ts'
import type { Explanation } from './attribution-worker.ts'
import { leafDimensions, type LeafDimension } from './read-leaves.ts'

export type Found = {
  readonly explanation: Explanation
  readonly leftOut: readonly LeafDimension[]
  /** By what effects and counts of the numerator are multiplied to be in the KPI's units and in its own. */
  readonly unit: { readonly effects: number; readonly counts: number }
  readonly windows: Windows
  readonly knownAt: number
}

const noEffects: Effects = { numerator: 0, denominator: 0, rate: 0, mix: 0 }

/** One revision is one insert under a token of its own: found twice, by two detectors or after a crash, it is there once. */
export function causesInsert(alertId: string, revision: Revision, found: Found): InsertBlock {
  return {
    table: alertCausesTable.name,
    columns: Object.keys(alertCausesTable.record.fields),
    rows: encodeRows(alertCausesTable.record, rowsOf(alertId, revision, found)),
    token: `alert_causes/${alertId}/${revision}`,
  }
}

function rowsOf(alertId: string, revision: Revision, { explanation, leftOut, unit, windows, knownAt }: Found): AlertCauseRow[] {
  const attribution = explanation.kind === 'explained' ? explanation.attribution : undefined
  const common = {
    alert_id: uuidBytes(alertId),
    revision: revisions.indexOf(revision),
    verdict: attribution?.verdict ?? 'unclear',
    computed_at: knownAt,
    window_from: windows.from,
    window_to: windows.from + windows.length,
    baseline_from: earliestOf(windows),
    baseline_windows: explanation.kind === 'explained' ? explanation.windows : 0,
    leaves: explanation.leaves,
    dimensions: leafDimensions.filter((name) => !leftOut.includes(name)),
    remark: remarkOf(explanation, leftOut),
  } as const
  const effectsIn = ({ numerator, denominator, rate, mix }: Effects) => ({
    numerator_effect: numerator * unit.effects,
    denominator_effect: denominator * unit.effects,
    rate_effect: rate * unit.effects,
    mix_effect: mix * unit.effects,
  })
  const whole = attribution?.whole
  return [
    {
      ...common, ...effectsIn(whole ?? noEffects), rank: 0, cell: '', cell_values: {}, share: whole === undefined ? 0 : 1, score: 0,
      actual: (whole?.actual ?? 0) * unit.effects, expected: (whole?.baseline ?? 0) * unit.effects,
    },
    ...(attribution?.causes ?? []).map(({ cell, share, effects, score, actual, expected }, i) => ({
      ...common, ...effectsIn(effects), rank: i + 1, cell: causeCellText(cell), cell_values: cell, share, score,
      actual: actual * unit.counts, expected: expected * unit.counts,
    })),
  ] // prettier-ignore
}

function remarkOf(explanation: Explanation, leftOut: readonly LeafDimension[]): string {
  if (explanation.kind === 'nothing') return explanation.because
  return leftOut.length === 0 ? '' : `too many leaves: ${leftOut.join(', ')} was left out`
}

export type StoredCause = {
  revision: number
  rank: number
  verdict: CauseVerdict
  cell: string
  share: number
  rate_effect: number
  mix_effect: number
  score: number
  actual: number
  expected: number
  computed_at: number
  window_from: number
  window_to: number
  remark: string
}

/** All that was found of an alert, earliest revision first. */
export function readRevisions(store: Store, alertId: string): Promise<StoredCause[]> {
  const ms = (column: string) => `toUnixTimestamp64Milli(c.${column}) AS ${column}`
  return store.query<StoredCause>(
    `SELECT c.revision AS revision, c.rank AS rank, toString(c.verdict) AS verdict, c.cell AS cell, c.share AS share, c.rate_effect AS rate_effect,
       c.mix_effect AS mix_effect, c.score AS score, c.actual AS actual, c.expected AS expected,
       ${ms('computed_at')}, ${ms('window_from')}, ${ms('window_to')}, c.remark AS remark
     FROM alert_causes AS c WHERE c.alert_id = {id:UUID} ORDER BY c.revision, c.rank LIMIT 1 BY c.revision, c.rank`,
    { id: alertId },
  )
}

/** By alert: its latest. */
export async function readCauses(store: Store, alertIds: readonly string[]): Promise<Map<string, ToldCauses>> {
  if (alertIds.length === 0) return new Map()
  const rows = await store.query<{ id: string; verdict: CauseVerdict; rank: number; cell: string; share: number; falls: number }>(
    `SELECT toString(c.alert_id) AS id, toString(c.verdict) AS verdict, c.rank AS rank, c.cell AS cell, c.share AS share, c.actual < c.expected AS falls
     FROM alert_causes AS c
     WHERE c.alert_id IN {ids:Array(UUID)}
       AND (c.alert_id, c.revision) IN (SELECT alert_id, max(revision) FROM alert_causes WHERE alert_id IN {ids:Array(UUID)} GROUP BY alert_id)
     ORDER BY c.alert_id, c.rank LIMIT 1 BY c.alert_id, c.rank`,
    { ids: alertIds },
  )
  const told = new Map<string, ToldCauses & { causes: { cell: string; share: number }[] }>()
  for (const { id, verdict, rank, cell, share, falls } of rows)
    if (rank === 0) told.set(id, { verdict, change: falls === 1 ? 'fall' : 'rise', causes: [] })
    else told.get(id)?.causes.push({ cell, share })
  return told
}
