// What is wrong, what was, why, and what nobody has looked at yet.
import type { Board } from '../board.ts'
import { openAlerts } from './panels.ts'

export const alerts: Board = {
  uid: 'reelpulse-alerts',
  title: { en: 'Alerts and causes', zh: '告警与归因' },
  variables: [],
  panels: [
    openAlerts,
    { shows: 'reviews_overdue', title: { en: 'Reviews overdue', zh: '超期未复盘' } },
    {
      shows: 'alert_history',
      title: { en: 'Alerts that fired', zh: '历史告警' },
      drill: { to: 'reelpulse-cells', variable: 'kpi', value: 'kpi' },
    },
    { shows: 'alert_causes', title: { en: 'Likely causes', zh: '可能原因' } },
  ],
}
