// Whether the pipeline itself is well, as far as its tables tell; /metrics tells the rest.
import type { Board } from '../board.ts'
import { kpiTrend } from './panels.ts'

export const pipeline: Board = {
  uid: 'reelpulse-pipeline',
  title: { en: 'Pipeline health', zh: '管道健康' },
  variables: [],
  panels: [
    { shows: 'partition_clocks', title: { en: 'Clock of each partition', zh: '各分区时钟' } },
    { shows: 'roll_up_reach', title: { en: 'How far buckets are rolled up', zh: '汇总进度' } },
    { shows: 'clock_lag', title: { en: 'Slowest partition behind the fastest', zh: '分区间落后' } },
    { shows: 'lateness', title: { en: 'Events by lateness', zh: '事件迟到分布' } },
    { shows: 'block_sizes', title: { en: 'Blocks and their records', zh: '块数与大小' } },
    { shows: 'rejects_by_reason', title: { en: 'Rejects by reason', zh: '拒收原因' } },
    kpiTrend('rejected_share'),
    kpiTrend('late_event_share'),
    { shows: 'rejects_latest', title: { en: 'The latest rejects', zh: '最近拒收' } },
  ],
}
