// What `verify` says to a person.
import type { DifferingRow } from './compare.ts'
import type { Report } from './verify.ts'

const shownRows = 5
const shownColumns = 6
const shownFindings = 3

export function renderReport(database: string, report: Report): string {
  const { featureRows, tierChangeRows, kpiCells, findings } = report
  const lines = [
    `${database}: ${report.events} events of ${report.users} users, ${report.sampled ? 'a sample of the rows' : 'every row'}`,
    `  user_features  ${featureRows.compared} rows compared, ${featureRows.differing} differ`,
    ...renderRows(featureRows.examples),
    `  tier_changes   ${tierChangeRows.compared} rows compared, ${tierChangeRows.differing} differ`,
    ...renderRows(tierChangeRows.examples),
    `  kpi_deltas     ${kpiCells.compared} cells of ${kpiCells.days} days compared, ${kpiCells.differing} differ`,
    ...renderRows(kpiCells.examples),
    `  kpi_cells      ${kpiCells.rolledUp.compared} cells compared with kpi_deltas, ${kpiCells.rolledUp.differing} differ`,
    ...renderRows(kpiCells.rolledUp.examples),
  ]
  if (findings.length === 0) lines.push('  events         each once, clocks only rise, no row is missing')
  for (const { check, findings: count, examples } of findings)
    lines.push(`  ${check}: ${count} found`, ...examples.slice(0, shownFindings).map((example) => `    ${example}`))
  if (report.openRows > 0) lines.push(`  ${report.openRows} rows of blocks that are still being inserted were left out`)
  return lines.join('\n')
}

/** Its form is a promise: scripts read it. */
export const lastLine = (compared: number, differ: number) => `${compared} rows compared, ${differ} differ`

function renderRows(rows: readonly DifferingRow[]): string[] {
  return rows.slice(0, shownRows).map(([userId, asOfMs, differences]) => {
    const columns = differences
      .slice(0, shownColumns)
      .map(([column, stored, recomputed]) => `${column} stored ${stored}, recomputed ${recomputed}`)
    if (differences.length > shownColumns) columns.push(`and ${differences.length - shownColumns} more`)
    return `    ${userId} as of ${instant(asOfMs)}: ${columns.join('; ')}`
  })
}

/** ISO 8601, where a Date can say it. */
const instant = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`)
