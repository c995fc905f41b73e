// Every transition of an alert's lifecycle. The view `open_alerts` shows the latest of each that is not resolved.
import { enumeration, fieldTable, float64, instant, string, uint32, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { cellDimensions, grains } from './kpi-deltas.ts'

export const alertStates = ['pending', 'firing', 'recovering', 'resolved'] as const
export type AlertState = (typeof alertStates)[number]

export const alertsTable = table({
  name: 'alerts',
  record: fieldTable('Alert', {
    alert_id: uuid('The same through the whole life of one alert.'),
    sequence: uint32('Transitions of one alert, from 0.'),
    state: enumeration('AlertState', alertStates),
    kpi: word(),
    grain: enumeration('Grain', grains),
    dimension: enumeration('CellDimension', cellDimensions),
    value: word(),
    bucket_at: instant('Start of the bucket whose figures decided.'),
    decided_at: instant('Log time at which the bucket was closed.'),
    fired_at: instant('decided_at of the transition to firing; the epoch before that.'),
    due_at: instant('When the root-cause review is due; the epoch before firing.'),
    actual: float64('The KPI in the bucket.'),
    baseline: float64('What it was expected to be; frozen at firing.'),
    denominator: float64(),
    reason: string('The rule and the figures that decided.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['kpi', 'dimension', 'value', 'decided_at', 'sequence'],
  partitionBy: 'toYYYYMM(decided_at)',
})
export type AlertRow = Row<typeof alertsTable.record>
