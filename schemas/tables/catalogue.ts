// All tables, in the order in which a block inserts them and `migrate` creates them.
import type { Table } from '../table.ts'
import { alertCausesTable } from './alert-causes.ts'
import { alertDeliveriesTable } from './alert-deliveries.ts'
import { alertReviewsTable } from './alert-reviews.ts'
import { alertsTable } from './alerts.ts'
import { eventsTable } from './events.ts'
import { kpiDeltasTable } from './kpi-deltas.ts'
import { rejectedEventsTable } from './rejected-events.ts'
import { tierChangesTable } from './tier-changes.ts'
import { userFeaturesTable } from './user-features.ts'
import { writersTable } from './writers.ts'

export const blockTables = [eventsTable, rejectedEventsTable, userFeaturesTable, tierChangesTable, kpiDeltasTable] as const
export const tables: readonly Table[] = [
  ...blockTables,
  alertsTable,
  alertCausesTable,
  alertDeliveriesTable,
  alertReviewsTable,
  writersTable,
]
