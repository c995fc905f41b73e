// What checkpoints and restores have to do with a partition's state, whatever it consists of.
import type { Grain } from '../../schemas/tables/kpi-deltas.ts'
import { marksReader, type MarksGeneration } from './marks-state.ts'
import { marksWriter } from './marks-writer.ts'
import { userStateReader, userStateWriter, type PartitionState, type UserStateReader } from './state.ts'

export type KeptState = Pick<PartitionState, 'users' | 'recentIds' | 'lastingIds' | 'changed' | 'clearChanged' | 'clear'> & {
  /** The value of a slot that changed. */
  writeUser(slot: number): Uint8Array
  /** Puts values back; one restore's, for it holds what that needs. */
  reader(): UserStateReader
  /**
   * Marks of distinct counts: those made since the last call, how many they are, and one value of them put back, or kept for later;
   * `brokenBy` says where the value stands.
   */
  takeMarks(): MarksGeneration[]
  newMarks(): number
  putMarks(grain: Grain, value: Uint8Array, brokenBy: (error: unknown) => unknown): void
}

export const keptState = (state: PartitionState): KeptState => ({
  users: state.users,
  recentIds: state.recentIds,
  lastingIds: state.lastingIds,
  changed: state.changed,
  clearChanged: state.clearChanged,
  clear: state.clear,
  writeUser: userStateWriter(state),
  reader() {
    const reader = userStateReader(state)
    return {
      ...reader,
      done(clock) {
        reader.done(clock)
        state.kpis.marks.advance(clock)
      },
    }
  },
  takeMarks: marksWriter(state),
  newMarks: state.kpis.marks.newEntries,
  putMarks: marksReader(state),
})
