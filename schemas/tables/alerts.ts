// Every transition of an alert's lifecycle. The view `open_alerts` shows the latest of each that is not resolved.
import { enumeration, fieldTable, float64, instant, list, nested, string, uint32, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'
import { cellDimensions, grains } from './kpi-deltas.ts'

export const alertStates = ['pending', 'firing', 'recovering', 'resolved'] as const
export type AlertState = (typeof alertStates)[number]

/** `kpi`: a KPI is not what it should be. `review_overdue`: such an alert fired, and its root-cause review is overdue. */
export const alertKinds = ['kpi', 'review_overdue'] as const
export type AlertKind = (typeof alertKinds)[number]

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
    kind: enumeration('AlertKind', alertKinds),
    about_id: uuid(
      'review_overdue: the alert whose review it is. Of one held back, once it is: the alert that explains it. Else the alert itself.',
    ),
  }),
  engine: { kind: 'append' },
  orderBy: ['kpi', 'dimension', 'value', 'decided_at', 'sequence'],
  partitionBy: 'toYYYYMM(decided_at)',
})
export type AlertRow = Row<typeof alertsTable.record>

/** A message of topic `kpi-alerts`: one transition. Avro, key = alert id as text. */
export const kpiAlertMessage = fieldTable('KpiAlert', {
  ...alertsTable.record.fields,
  topic: string('The input topic that was watched.'),
  board_url: string('The board at that time and cell; empty where none is set.'),
  causes: list(
    nested(fieldTable('AlertCause', { cell: string('Such as `channel ad, region CN-11`.'), share: float64("Of the KPI's change.") })),
  ),
})
export type KpiAlert = Row<typeof kpiAlertMessage>
