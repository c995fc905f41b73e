// Waiting for the process role to come to the end of its topic.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../ports/log.ts'
import { PartitionStopped } from '../roles/process/partition-run.ts'
import type { ProcessRole } from '../roles/process/process.ts'
import type { ProgressBoard } from './progress.ts'

const betweenLooksMs = 100

/** By partition: the offset that the next record will get. */
export async function endsOf(log: Log, topic: string): Promise<number[]> {
  return (await log.describeTopic(topic))?.partitions.map(({ end }) => end) ?? []
}

/**
 * Until every partition has processed what comes before its end, or `signal` aborts. Throws where a partition has stopped, because
 * then it never will.
 */
export async function untilProcessed(
  ends: () => Promise<readonly number[]>,
  board: ProgressBoard,
  role: Pick<ProcessRole, 'status'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (board.reached(await ends())) return
    const stopped = role.status().find(({ state }) => state === 'stopped')
    // Not a plain Error, which is told with where in the program it came from.
    if (stopped !== undefined)
      throw new PartitionStopped(`partition ${stopped.partition} has stopped: ${stopped.error ?? 'the messages say why'}`)
    await sleep(betweenLooksMs)
  }
}
