import { expect, test } from 'vitest'
import type { PartitionStatus } from '../roles/process/partition-status.ts'
import { progressBoard } from './progress.ts'
import { untilProcessed } from './until-processed.ts'

test('a partition that has stopped ends the waiting, with why and as what somebody has to act on', async () => {
  const status = (): PartitionStatus[] => [{ partition: 2, state: 'stopped', since: 0, error: 'the log begins at 50 now' }]
  const waiting = untilProcessed(() => Promise.resolve([1]), progressBoard(Date.now), { status }, new AbortController().signal)
  await expect(waiting).rejects.toMatchObject({ name: 'PartitionStopped', message: 'partition 2 has stopped: the log begins at 50 now' })
})
