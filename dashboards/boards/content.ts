// What people watch and do with it.
import { cellVariables, type Board } from '../board.ts'
import { cellShown, kpiNow, kpiSplit, kpiTrend } from './panels.ts'

export const content: Board = {
  uid: 'reelpulse-content',
  title: { en: 'Content', zh: '内容' },
  variables: cellVariables,
  panels: [
    cellShown,
    kpiNow('completion_rate'),
    kpiNow('interaction_rate'),
    kpiNow('click_through_rate'),
    kpiNow('mean_watch_s'),
    kpiNow('content_freshness'),
    kpiSplit('completion_rate', 'category'),
    kpiSplit('completion_rate', 'channel'),
    kpiSplit('click_through_rate', 'platform'),
    kpiSplit('completion_rate', 'app_version'),
    kpiTrend('like_rate'),
    kpiTrend('comment_rate'),
    kpiTrend('share_rate'),
    kpiTrend('follow_rate'),
    kpiTrend('search_rate'),
    kpiTrend('mean_watch_s'),
    kpiTrend('content_freshness'),
    {
      shows: 'counts',
      measures: ['plays', 'completes', 'likes', 'comments', 'shares', 'follows'],
      title: { en: 'Plays and what follows', zh: '播放与互动' },
    },
  ],
}
