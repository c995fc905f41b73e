// Cells of KPI tables held against what they should be, figure by figure, in one query.
/** Told of those that differ. */
export const examples = 20

/**
 * One row: cells compared, how many differ, and some that do. `stored` and `counted` are the columns and the rest of a SELECT each, of grain,
 * bucket_ms, dimension, value and the figures.
 */
export function cellDifferences(figures: readonly string[], stored: string, counted: string): string {
  const differences = figures.map((name) => `('${name}', toString(sumIf(${name}, is_stored)), toString(sumIf(${name}, NOT is_stored)))`)
  return `
    SELECT count() AS compared, countIf(notEmpty(differences)) AS differing,
      groupArrayIf(${examples})((cell, bucket_ms, differences), notEmpty(differences)) AS examples
    FROM (
      SELECT concat(grain, ' ', dimension, '=', value) AS cell, bucket_ms,
        arrayFilter(x -> x.2 != x.3, arrayConcat([${differences.join(', ')}],
          [('rows', if(countIf(is_stored) > 0, 'there', 'missing'), if(countIf(NOT is_stored) > 0, 'there', 'missing'))])) AS differences
      FROM (
        SELECT true AS is_stored, ${stored}
        UNION ALL
        SELECT false AS is_stored, ${counted})
      GROUP BY grain, bucket_ms, dimension, value)`
}
