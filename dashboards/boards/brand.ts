// What people say of the app and its service: KPIs of customer signals, which know channels only.
import type { Board } from '../board.ts'
import { cellShown, kpiNow, kpiTrend } from './panels.ts'

export const brand: Board = {
  uid: 'reelpulse-brand',
  title: { en: 'Brand and service', zh: '品牌与服务' },
  variables: ['channel'],
  panels: [
    cellShown,
    kpiNow('net_promoter_score'),
    kpiNow('recommendation_rate'),
    kpiNow('service_score'),
    kpiNow('service_response_s'),
    kpiNow('complaint_rate'),
    kpiNow('severe_violations'),
    kpiTrend('net_promoter_score'),
    kpiTrend('recommendation_rate'),
    kpiTrend('service_score'),
    kpiTrend('service_response_s'),
    kpiTrend('complaint_rate'),
    kpiTrend('severe_violations'),
  ],
}
