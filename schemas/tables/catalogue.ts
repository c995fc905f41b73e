// All tables of a topic of behaviour, and of one of signals, in the order in which a block inserts them and `migrate` creates them.
import type { Table } from '../table.ts'
import { alertCausesTable } from './alert-causes.ts'
import { alertDeliveriesTable } from './alert-deliveries.ts'
import { alertReviewsTable } from './alert-reviews.ts'
import { alertsTable } from './alerts.ts'
import { customerSignalsTable } from './customer-signals.ts'
import { eventsTable } from './events.ts'
import { kpiCellsTable } from './kpi-cells.ts'
import { kpiDailyTable } from './kpi-daily.ts'
import { kpiDeltasTable } from './kpi-deltas.ts'
import { ltvCohortsTable } from './ltv-cohorts.ts'
import { ltvModelsTable } from './ltv-models.ts'
import { rejectedEventsTable } from './rejected-events.ts'
import { signalClocksTable } from './signal-clocks.ts'
import { tierChangesTable } from './tier-changes.ts'
import { userFeaturesTable } from './user-features.ts'
import { writersTable } from './writers.ts'

export const blockTables = [eventsTable, rejectedEventsTable, userFeaturesTable, tierChangesTable, kpiDeltasTable] as const
export const tables: readonly Table[] = [
  ...blockTables,
  kpiCellsTable,
  kpiDailyTable,
  alertsTable,
  alertCausesTable,
  alertDeliveriesTable,
  alertReviewsTable,
  ltvModelsTable,
  ltvCohortsTable,
  writersTable,
]

/** The tables of a database of customer signals. */
export const signalBlockTables = [rejectedEventsTable, customerSignalsTable, signalClocksTable] as const
export const signalTables: readonly Table[] = [...signalBlockTables, writersTable]
