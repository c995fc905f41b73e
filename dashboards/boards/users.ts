// Who the users are, how they move between tiers, whether they stay, and what they bring.
import { cellVariables, type Board } from '../board.ts'
import { cellShown, kpiTrend } from './panels.ts'

export const users: Board = {
  uid: 'reelpulse-users',
  title: { en: 'Users and tiers', zh: '用户与层级' },
  variables: cellVariables,
  panels: [
    cellShown,
    {
      shows: 'users_by_tier',
      title: { en: 'Users by tier', zh: '各层级用户数' },
      drill: { to: 'reelpulse-users', variable: 'tier', value: 'tier' },
    },
    { shows: 'tier_flow', title: { en: 'Moves between tiers, of everyone', zh: '层级流转（全体）' } },
    { shows: 'tier_moves_over_time', title: { en: 'Promotions and demotions, of everyone', zh: '升级与降级（全体）' } },
    {
      shows: 'users_list',
      title: { en: 'Users of the cell, the latest seen first', zh: '单元内用户（最近活跃在前）' },
      drill: { to: 'reelpulse-user', variable: 'user_id', value: 'user_id' },
    },
    { shows: 'retention_map', title: { en: 'Retention by day of registration, of everyone', zh: '注册同期群留存（全体）' } },
    { shows: 'rfm_grid', title: { en: 'RFM: buyers by recency and frequency', zh: 'RFM：按近度与频度的购买用户' } },
    {
      shows: 'ltv_cohorts',
      title: { en: 'Lifetime value by cohort, of everyone: realised and predicted', zh: '同期群生命周期价值（全体）：已实现与预测' },
    },
    kpiTrend('daily_active_users'),
    kpiTrend('monthly_active_users'),
    kpiTrend('mau_per_dau'),
    kpiTrend('engaged_user_share'),
    kpiTrend('retention_d1'),
    kpiTrend('retention_d7'),
    kpiTrend('returning_customer_rate'),
    kpiTrend('new_customer_conversion'),
    kpiTrend('registrations'),
    kpiTrend('first_week_completion'),
  ],
}
