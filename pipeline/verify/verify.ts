// Recomputes features, lifetimes, affinities, tiers and KPI sums in SQL from table `events`, and compares them with what is stored.
import type { Store } from '../ports/store.ts'
import { compareFeatures, compareTierChanges, type Comparison, type DifferingRow } from './compare.ts'
import {
  missingFeatures,
  repeatedFeatures,
  repeatedIds,
  repeatedRows,
  rowsAhead,
  wrongClocks,
  wrongEvents,
  wrongTiers,
  type Finding,
} from './integrity.ts'
import { compareKpis, nothingCompared, type KpiComparison } from './kpis.ts'
import { makePlan, type Choice } from './plan.ts'
import { sampleBuckets, settingParams, userParams, type Scope, type VerifySettings } from './scope.ts'

export type Report = {
  /** Rows of `user_features` and `tier_changes`, and cells of `kpi_deltas` and `kpi_cells`, that were recomputed; a missing one counts. */
  rowsCompared: number
  /** Of those, how many differ, and everything that is wrong in `events` itself. */
  rowsDiffer: number
  featureRows: Comparison
  tierChangeRows: Comparison
  /** Sums of (grain, bucket, cell). */
  kpiCells: KpiComparison
  /** Only checks that found something. */
  findings: ({ check: string } & Finding)[]
  sampled: boolean
  users: number
  events: number
  /** Rows of blocks that are still being inserted: not looked at. */
  openRows: number
}

const examplesKept = 20

export async function verify(
  store: Store,
  settings: VerifySettings,
  choice: Choice,
  onProgress: (done: number, of: number) => void = () => {},
): Promise<Report> {
  const plan = await makePlan(store, choice)
  const params = settingParams(settings)
  const featureRows = nothingCompared()
  const tierChangeRows = nothingCompared()
  const findings: Report['findings'] = []
  const steps = 1 + plan.offsets.length + plan.stretches.length + plan.scopes.length
  let done = 0
  const step = () => onProgress(++done, steps)

  const check = async (name: string, sql: string, bound: Readonly<Record<string, string | number>> = {}) => {
    const [row] = await store.query<Finding>(sql, { ...params, ...bound })
    const found = row!.findings
    if (found === 0) return
    const known = findings.find((finding) => finding.check === name)
    if (known === undefined) findings.push({ check: name, findings: found, examples: row!.examples })
    else {
      known.findings += found
      known.examples = [...known.examples, ...row!.examples].slice(0, examplesKept)
    }
  }
  const compare = async (into: Comparison, sql: string, scope: Scope) => {
    const [row] = await store.query<Comparison>(sql, { ...params, ...userParams(scope.users) })
    into.compared += row!.compared
    into.differing += row!.differing
    for (const [userId, asOfMs, differences] of row!.examples)
      if (into.examples.length < examplesKept) into.examples.push([userId, asOfMs, differences] satisfies DifferingRow)
  }

  await check('events', wrongEvents(plan.cut), { currency: settings.currency })
  await check('rows before their time', rowsAhead(plan.cut))
  step()
  for (const [from, to] of plan.offsets) {
    await check('clocks', wrongClocks(plan.cut), { from_offset: from, to_offset: to })
    step()
  }
  for (const stretch of plan.stretches) {
    const scope: Scope = { users: { kind: 'stretch', ...stretch, share: sampleBuckets }, cut: plan.cut, rowsPerUser: Infinity }
    const bound = userParams(scope.users) as Readonly<Record<string, string | number>>
    await check('events twice', repeatedRows(scope), bound)
    await check('event ids twice', repeatedIds(scope), bound)
    await check('user_features twice', repeatedFeatures(scope), bound)
    await check('user_features missing', missingFeatures(scope, settings), bound)
    step()
  }
  for (const scope of plan.scopes) {
    await compare(featureRows, compareFeatures(scope), scope)
    await compare(tierChangeRows, compareTierChanges(scope), scope)
    if (choice.kpis !== false)
      await check('tiers of events', wrongTiers(scope), userParams(scope.users) as Readonly<Record<string, string | number>>)
    step()
  }
  const kpiCells: KpiComparison =
    choice.kpis !== false
      ? await compareKpis(store, plan.cut, settings, params, !plan.sampled)
      : { ...nothingCompared(), days: 0, daysLeftOut: 0, rolledUp: nothingCompared() }

  return {
    rowsCompared: featureRows.compared + tierChangeRows.compared + kpiCells.compared + kpiCells.rolledUp.compared,
    rowsDiffer:
      featureRows.differing +
      tierChangeRows.differing +
      kpiCells.differing +
      kpiCells.rolledUp.differing +
      findings.reduce((sum, finding) => sum + finding.findings, 0),
    featureRows,
    tierChangeRows,
    kpiCells,
    findings,
    sampled: plan.sampled,
    users: plan.totals.users,
    events: plan.totals.events,
    openRows: plan.openRows,
  }
}
