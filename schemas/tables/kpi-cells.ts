// The cells of closed buckets: what they came to as known at their close, and as known since. The detect role rolls them up from kpi_deltas,
// which forgets sooner (docs/decisions/kpi-cells.md).
import { enumeration, fieldTable, instant, uint64, word, type Field, type Row } from '../field.ts'
import { table } from '../table.ts'
import { cellDimensions, grains, kpiMeasures, type KpiMeasure } from './kpi-deltas.ts'

type Sums = Record<KpiMeasure, Field<number>>
type SumsAtClose = Record<`${KpiMeasure}_at_close`, Field<number>>
const sums = Object.fromEntries(kpiMeasures.map((measure) => [measure, uint64()])) as Sums
const sumsAtClose = Object.fromEntries(kpiMeasures.map((measure) => [`${measure}_at_close`, uint64()])) as SumsAtClose

/** By bucket_at: longer than a year ago can be compared with. */
export const kpiCellsKeptDays = 400

export const kpiCellsTable = table({
  name: 'kpi_cells',
  record: fieldTable('KpiCell', {
    grain: enumeration('Grain', grains),
    bucket_at: instant("The bucket's start; for `clock`: all buckets before it are here."),
    dimension: enumeration('CellDimension', cellDimensions, '`clock` says how far the grain is rolled up.'),
    value: word(),
    known_at: instant('Blocks count whose partition had, before them, a clock earlier than this.'),
    ...sums,
    ...sumsAtClose,
  }),
  engine: { kind: 'latest', version: 'known_at' },
  orderBy: ['dimension', 'value', 'grain', 'bucket_at'],
  // The rows of one insert, and the row that says how far they reach, are there at once or not at all.
  partitionBy: 'grain',
  ttl: `toDateTime(bucket_at) + INTERVAL ${kpiCellsKeptDays} DAY`,
})
export type KpiCellRow = Row<typeof kpiCellsTable.record>
