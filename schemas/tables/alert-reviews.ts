// What people did about an alert: who took it, the cause that was found, the strategy that was taken. The view `alert_review_state`
// has the latest of each for every alert.
import { enumeration, fieldTable, instant, string, uuid, type Row } from '../field.ts'
import { table } from '../table.ts'

export const reviewActions = ['ack', 'note', 'close'] as const
export type ReviewAction = (typeof reviewActions)[number]

export const alertReviewsTable = table({
  name: 'alert_reviews',
  record: fieldTable('AlertReview', {
    alert_id: uuid(),
    review_id: uuid('Chosen by who writes it: the same one twice is one.'),
    action: enumeration('ReviewAction', reviewActions),
    reviewed_at: instant('Wall clock.'),
    reviewed_by: string(),
    cause: string('The root cause; empty: nothing was said of it.'),
    strategy: string('What was done about it; empty likewise.'),
    strategy_at: instant('When the strategy took effect; the epoch without one.'),
    text: string('Any remark.'),
  }),
  engine: { kind: 'append' },
  orderBy: ['alert_id', 'reviewed_at', 'review_id'],
  partitionBy: 'toYYYYMM(reviewed_at)',
})
export type AlertReviewRow = Row<typeof alertReviewsTable.record>
