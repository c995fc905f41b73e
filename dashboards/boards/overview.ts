// The first board that one looks at: are people watching to the end, do they come back, do they buy, who are they, what is wrong.
import { cellVariables, type Board } from '../board.ts'
import { cellShown, kpiNow, kpiTrend, openAlerts } from './panels.ts'

export const overview: Board = {
  uid: 'reelpulse-overview',
  title: { en: 'Overview', zh: '总览' },
  variables: cellVariables,
  panels: [
    kpiNow('completion_rate'),
    kpiNow('interaction_rate'),
    kpiNow('dwell_s'),
    kpiNow('click_through_rate'),
    kpiNow('conversion_rate'),
    kpiNow('retention_d1'),
    kpiNow('retention_d7'),
    kpiNow('retention_d30'),
    kpiNow('ltv'),
    cellShown,
    { shows: 'open_minutes', measures: ['plays', 'active_users'], title: { en: 'The open minutes, live', zh: '进行中的分钟（实时）' } },
    {
      shows: 'users_by_tier',
      title: { en: 'Users by tier', zh: '各层级用户数' },
      drill: { to: 'reelpulse-users', variable: 'tier', value: 'tier' },
    },
    openAlerts,
    kpiTrend('completion_rate'),
    kpiTrend('interaction_rate'),
    kpiTrend('dwell_s'),
    kpiTrend('click_through_rate'),
    kpiTrend('conversion_rate'),
    {
      shows: 'counts',
      measures: ['plays', 'impressions', 'active_users'],
      title: { en: 'Plays, impressions, active users', zh: '播放、曝光与活跃用户' },
    },
  ],
}
