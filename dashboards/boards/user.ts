// One user: who they are now, what they did, how they got to their tier.
import type { Board } from '../board.ts'

export const user: Board = {
  uid: 'reelpulse-user',
  title: { en: 'One user', zh: '单个用户' },
  variables: ['user_id'],
  panels: [
    { shows: 'user_now', title: { en: 'The user now', zh: '用户现状' } },
    { shows: 'user_features', title: { en: 'Rolling features', zh: '滚动特征' } },
    { shows: 'user_tiers', title: { en: 'Tier history', zh: '层级历史' } },
    { shows: 'user_events', title: { en: 'Events, the latest first', zh: '事件（最近在前）' } },
  ],
}
