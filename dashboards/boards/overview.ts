// The first board that one looks at: are people watching to the end, are they clicking, who are they, what is wrong.
import type { Board } from '../board.ts'

export const overview: Board = {
  uid: 'reelpulse-overview',
  title: 'Reelpulse · overview',
  panels: [
    { shows: 'kpi_now', kpi: 'completion_rate', title: 'Completion rate, last hour' },
    { shows: 'kpi_now', kpi: 'click_through_rate', title: 'Click-through rate, last hour' },
    { shows: 'users_by_tier', title: 'Users by tier' },
    { shows: 'open_alerts', title: 'Open alerts' },
    { shows: 'kpi_trend', kpi: 'completion_rate', title: 'Completion rate' },
    { shows: 'kpi_trend', kpi: 'click_through_rate', title: 'Click-through rate' },
    { shows: 'kpi_split', kpi: 'completion_rate', by: 'channel', title: 'Completion rate by channel' },
    { shows: 'kpi_split', kpi: 'click_through_rate', by: 'channel', title: 'Click-through rate by channel' },
    { shows: 'counts', measures: ['plays', 'impressions', 'purchases'], title: 'Plays, impressions, purchases' },
  ],
}
