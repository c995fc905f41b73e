// A refit as rows of `ltv_models` and `ltv_cohorts`: the same fit is stored once, however often it is made.
import { hash } from 'node:crypto'
import type { Birth } from '../../operators/ltv/histories.ts'
import type { Refit } from '../../operators/ltv/refit.ts'
import { operatorVersion } from '../../operators/settings.ts'
import { encodeRows } from '../../schemas/row-binary.ts'
import { ltvCohortsTable, type LtvCohortRow } from '../../schemas/tables/ltv-cohorts.ts'
import { ltvModelsTable, type LtvModelRow } from '../../schemas/tables/ltv-models.ts'
import type { Store } from '../ports/store.ts'
import { uuidBytes, uuidOfName, uuidText } from '../uuid.ts'

const models = uuidBytes('7a5c2f0e-3d57-5b0c-8f6e-5a1b0a3e9c41')

export type ModelContext = {
  asOfMs: number
  birth: Birth
  zone: string
  horizonDays: number
  margin: number
  /** Instant at which a day, counted from 1970-01-01, begins in the zone. */
  startOfDay: (day: number) => number
}

export function modelRows(made: Refit, context: ModelContext): { model: LtvModelRow; cohorts: LtvCohortRow[] } {
  const { purchases, amounts, amountsFit } = made
  const bgNbd = purchases.kind === 'fit' ? purchases : undefined
  const gammaGamma = amountsFit.kind === 'fit' ? amountsFit : undefined
  const model: Omit<LtvModelRow, 'model_id'> = {
    as_of: context.asOfMs,
    operator_version: operatorVersion,
    birth: context.birth,
    zone: context.zone,
    horizon_days: context.horizonDays,
    margin: context.margin,
    customers: made.customers,
    repeat_buyers: made.repeatBuyers,
    purchases: bgNbd === undefined ? 'none' : 'bg_nbd',
    r: bgNbd?.params.r ?? null,
    alpha_weeks: bgNbd?.params.alpha ?? null,
    a: bgNbd?.params.a ?? null,
    b: bgNbd?.params.b ?? null,
    purchases_log_likelihood: bgNbd?.logLikelihood ?? null,
    amounts: amounts.kind,
    p: gammaGamma?.params.p ?? null,
    q: gammaGamma?.params.q ?? null,
    gamma_minor: gammaGamma?.params.gamma ?? null,
    amounts_log_likelihood: gammaGamma?.logLikelihood ?? null,
    mean_minor: amounts.kind === 'mean' ? amounts.mean : null,
    converged: bgNbd?.converged === false || gammaGamma?.converged === false ? 0 : 1,
    at_edge: [...(bgNbd?.atEdge ?? []), ...(gammaGamma?.atEdge ?? [])],
    because: [purchases, amountsFit].flatMap((fit) => (fit.kind === 'unfit' ? [fit.because] : [])).join('; '),
  }
  const cohorts = made.cohorts.map((cohort) => ({
    as_of: context.asOfMs,
    cohort_at: context.startOfDay(cohort.cohort),
    customers: cohort.customers,
    buyers: cohort.buyers,
    realised_minor: cohort.realised,
    alive: cohort.alive,
    expected_purchases: cohort.expectedPurchases,
    predicted_minor: cohort.predicted,
    value_minor: cohort.value,
  }))
  const id = uuidOfName(models, JSON.stringify([model, cohorts]))
  return { model: { model_id: id, ...model }, cohorts: cohorts.map((row) => ({ model_id: id, ...row })) }
}

/** The model's row comes last: where it is, its cohorts are whole. Returns whether it was new. */
export async function storeModel(store: Store, { model, cohorts }: ReturnType<typeof modelRows>): Promise<boolean> {
  const id = uuidText(model.model_id)
  const there = await store.query('SELECT 1 FROM ltv_models WHERE model_id = {id:UUID}', { id })
  if (there.length > 0) return false
  const cohortBytes = encodeRows(ltvCohortsTable.record, cohorts)
  const columnsOf = (fields: object) => Object.keys(fields)
  // A block is atomic and its token known: a run that died between the two inserts leaves nothing double.
  if (cohorts.length > 0)
    await store.insert({
      table: ltvCohortsTable.name,
      columns: columnsOf(ltvCohortsTable.record.fields),
      rows: cohortBytes,
      token: `ltv/${id}/${hash('sha256', cohortBytes)}`,
    })
  await store.insert({
    table: ltvModelsTable.name,
    columns: columnsOf(ltvModelsTable.record.fields),
    rows: encodeRows(ltvModelsTable.record, [model]),
    token: `ltv/${id}/model`,
  })
  return true
}
