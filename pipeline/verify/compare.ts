// What is stored against what was recomputed, row by row and column by column; only differences leave the store.
import { ms } from './facts.ts'
import { affinities, features, figureNames, points } from './features.ts'
import { inCut, integer, usersAre, type Scope } from './scope.ts'
import { tierChanges, tiersFrom } from './tiers.ts'

/** `differences`: columns with the stored and the recomputed value. */
export type DifferingRow = [userId: string, asOfMs: number, differences: [column: string, stored: string, recomputed: string][]]
export type Comparison = { compared: number; differing: number; examples: DifferingRow[] }

/** Differing rows that a query hands out as examples, if not told otherwise. */
const examplesLeast = 20
/** Relative; only affinities are not compared exactly. */
export const affinityTolerance = 1e-9

const instants = new Set(['first_seen_at', 'registered_at', 'last_seen_at', 'last_purchase_at'])
const text = (expression: string) => `ifNull(toString(${expression}), 'none')`
const difference = (column: string, stored: string, recomputed: string) => `('${column}', ${stored}, ${recomputed})`
const summary = (rows: string, examples: number) => `
  SELECT count() AS compared, countIf(notEmpty(differences)) AS differing,
    groupArrayIf(${integer(examples)})((user_id, as_of_ms, differences), notEmpty(differences)) AS examples
  FROM (${rows})`

const near = (x: string, y: string) => `abs((${x}) - (${y})) <= ${affinityTolerance} * greatest(abs(${x}), abs(${y}))`

/**
 * The stored top five are right: as many as there are, distinct, greatest first, each with its own category's affinity, none
 * that is greater left out, and in order of name where two are equal (both as stored and as recomputed: sums of the same
 * weights in another order may differ in the last bit).
 */
const affinitiesAgree = [
  'length(s.top_categories) = least(5, length(a.categories))',
  'length(s.top_categories) = length(s.top_affinities)',
  'arrayDistinct(s.top_categories) = s.top_categories',
  `arrayAll((category, stored, rank) -> ${near('stored', 'a.affinities[indexOf(a.categories, category)]')} AND ${near('stored', 'a.affinities[rank]')},
    s.top_categories, arrayResize(s.top_affinities, length(s.top_categories)), arrayEnumerate(s.top_categories))`,
  `arrayAll((category, stored, rank) -> rank = 1 OR s.top_affinities[rank - 1] > stored OR (s.top_affinities[rank - 1] = stored AND (
      s.top_categories[rank - 1] < category OR
      a.affinities[indexOf(a.categories, category)] != a.affinities[indexOf(a.categories, s.top_categories[rank - 1])])),
    s.top_categories, arrayResize(s.top_affinities, length(s.top_categories)), arrayEnumerate(s.top_categories))`,
].join(' AND ')

/** `user_features` against the events. A row for which there is no event at all differs in `user_id`. */
export function compareFeatures(scope: Scope, examples = examplesLeast): string {
  const stored = (column: string) => (instants.has(column) ? ms(`s.${column}`) : `s.${column}`)
  const checks = [
    ...figureNames.map((column) => difference(column, text(stored(column)), text(`r.${column}`))),
    difference('tier', text('s.tier'), text('t.tier')),
  ]
  const list = (categories: string, values: string) => `toString(arrayZip(arraySlice(${categories}, 1, 5), arraySlice(${values}, 1, 5)))`
  const affinityCheck = difference(
    'top_categories, top_affinities',
    `concat(toString(s.top_categories), ' ', toString(s.top_affinities))`,
    list('a.categories', 'a.affinities'),
  )
  return summary(
    `
    SELECT s.user_id AS user_id, s.as_of_ms AS as_of_ms,
      if(r.last_seen_at IS NULL, [('user_id', s.user_id, 'no event before as_of')],
        arrayConcat(
          arrayFilter(x -> x.2 != x.3, [${checks.join(',\n            ')}]),
          if(${affinitiesAgree}, [], [${affinityCheck}]))) AS differences
    FROM (${points(scope, ['* EXCEPT user_id'])}) AS s
    LEFT JOIN (SELECT * REPLACE toNullable(last_seen_at) AS last_seen_at FROM (${features(scope)})) AS r
      ON s.user_id = r.user_id AND s.as_of_ms = r.as_of_ms
    LEFT JOIN (${affinities(scope)}) AS a ON s.user_id = a.user_id AND s.as_of_ms = a.as_of_ms
    ASOF LEFT JOIN (${tiersFrom(scope)}) AS t ON s.user_id = t.user_id AND s.as_of_ms >= t.at_ms`,
    examples,
  )
}

/** `tier_changes` against the events: a change that is stored twice, missing, or was never due differs too. */
export function compareTierChanges(scope: Scope, examples = examplesLeast): string {
  const scores = ['recency_score', 'frequency_score', 'monetary_score']
  const columns = ['user_id', 'as_of_ms', 'from_tier', 'to_tier', ...scores]
  const change = (n: string, from: string) => `toString(${n}) || ' × ' || ${from}`
  return summary(
    `
    SELECT user_id, as_of_ms,
      multiIf(
        stored = 1 AND due = 1, arrayFilter(x -> x.2 != x.3, [${scores
          .map((name) => difference(name, `toString(stored_scores.${name})`, `toString(due_scores.${name})`))
          .join(', ')}]),
        [${difference('from, to', change('stored', 'from_tier'), change('due', 'to_tier'))}]) AS differences
    FROM (
      SELECT user_id, as_of_ms, from_tier, to_tier, countIf(is_stored) AS stored, countIf(NOT is_stored) AS due,
        anyIf(scores, is_stored) AS stored_scores, anyIf(scores, NOT is_stored) AS due_scores
      FROM (
        SELECT user_id, ${ms('as_of')} AS as_of_ms, toString(\`from\`) AS from_tier, toString(\`to\`) AS to_tier,
          CAST((${scores.join(', ')}), 'Tuple(${scores.map((name) => `${name} UInt8`).join(', ')})') AS scores, true AS is_stored
        FROM tier_changes WHERE ${usersAre(scope.users)} AND ${inCut(scope.cut)}
        UNION ALL
        SELECT ${columns.slice(0, 4).join(', ')},
          CAST((${scores.join(', ')}), 'Tuple(${scores.map((name) => `${name} UInt8`).join(', ')})') AS scores, false AS is_stored
        FROM (${tierChanges(scope)}))
      GROUP BY user_id, as_of_ms, from_tier, to_tier)`,
    examples,
  )
}
