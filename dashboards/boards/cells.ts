// Where a KPI moved: every cell against a week before, and from there to the users of the cell.
import { cellVariables, type Board } from '../board.ts'
import { cellShown, toCellOfRow } from './panels.ts'

export const cells: Board = {
  uid: 'reelpulse-cells',
  title: { en: 'Cells of a KPI', zh: '指标下钻' },
  variables: ['kpi', ...cellVariables],
  panels: [
    cellShown,
    {
      shows: 'kpi_cells',
      title: { en: 'Every cell: the last day against a week before', zh: '各单元：最近一天与一周前对比' },
      drill: toCellOfRow('reelpulse-users'),
    },
  ],
}
