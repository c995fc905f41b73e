// What is bought, by whom, and what a user brings.
import { cellVariables, type Board } from '../board.ts'
import { cellShown, kpiNow, kpiSplit, kpiTrend } from './panels.ts'

export const commercial: Board = {
  uid: 'reelpulse-commercial',
  title: { en: 'Commercial', zh: '商业' },
  variables: cellVariables,
  panels: [
    cellShown,
    kpiNow('conversion_rate'),
    kpiNow('revenue'),
    kpiNow('average_order_value'),
    kpiNow('paying_penetration'),
    kpiNow('ltv'),
    kpiTrend('revenue'),
    kpiTrend('conversion_rate'),
    kpiSplit('conversion_rate', 'channel'),
    kpiSplit('average_order_value', 'platform'),
    kpiTrend('revenue_per_active_user'),
    kpiTrend('revenue_per_buyer'),
    kpiTrend('paying_penetration'),
    kpiTrend('monthly_repurchase_rate'),
    kpiTrend('search_to_purchase'),
    kpiTrend('ltv'),
    kpiTrend('return_on_investment'),
    kpiTrend('acquisition_cost'),
    { shows: 'ltv_cohorts', title: { en: 'Lifetime value by cohort, realised and predicted', zh: '同期群生命周期价值：已实现与预测' } },
    { shows: 'counts', measures: ['purchases', 'buyers'], title: { en: 'Purchases and buyers', zh: '购买次数与购买用户' } },
  ],
}
