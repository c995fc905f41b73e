// What became of each transition of an alert at each receiver. With `alerts` it is the outbox: what is in that and not in this is owed.
import { enumeration, fieldTable, instant, string, uint32, uuid, word, type Row } from '../field.ts'
import { table } from '../table.ts'

/**
 * `taken`: acknowledged. `parked`: refused, and no retry can cure it. `began`: no delivery, but since when the receiver is owed anything:
 * transitions decided from `decided_at` on.
 */
export const deliveryOutcomes = ['taken', 'parked', 'began'] as const
export type DeliveryOutcome = (typeof deliveryOutcomes)[number]

export const alertDeliveriesTable = table({
  name: 'alert_deliveries',
  record: fieldTable('AlertDelivery', {
    receiver: word("Its kind and host: 'webhook hooks.example', 'alertmanager am:9093', 'topic kpi-alerts'."),
    alert_id: uuid(),
    sequence: uint32('Of the transition, in `alerts`.'),
    outcome: enumeration('DeliveryOutcome', deliveryOutcomes),
    decided_at: instant("The transition's."),
    delivered_at: instant('Wall clock at which the receiver answered.'),
    tries: uint32('How often it was sent by the process that wrote this.'),
    error: string('parked: what the receiver said.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['receiver', 'alert_id', 'sequence'],
  partitionBy: 'toYYYYMM(decided_at)',
})
export type AlertDeliveryRow = Row<typeof alertDeliveriesTable.record>
