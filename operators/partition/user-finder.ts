// Finds the slots of users whom a changelog tells of once more, in their ids and marks.
import { murmur2 } from '../hash.ts'
import type { UserRegistry } from '../users/registry.ts'

/** Users looked up at once: enough for far memory to answer for many, few enough to stay in the cache. */
export const together = 64

export type UserFinder = {
  /** Filled by the caller: where each id begins, and its length. */
  readonly starts: Int32Array
  readonly lengths: Int32Array
  /** Filled by `find`; −1: not there. */
  readonly slots: Int32Array
  /** Finds the first `count` (≤ `together`) ids, which stand in `bytes`. */
  find(bytes: Uint8Array, count: number): void
}

/**
 * Slots follow the order in which users' values stood in the changelog, and those who came by once since the checkpoint before stand in
 * the same order in ids and marks: the user after the one found last is asked for first, which costs neither a hash nor a look afar.
 */
export function userFinder(users: UserRegistry): UserFinder {
  const starts = new Int32Array(together)
  const lengths = new Int32Array(together)
  const slots = new Int32Array(together)
  const missed = new Int32Array(together)
  const hashes = new Int32Array(together)
  let likely = 0
  let touched = 0 // or nothing would be read that nobody asks for

  return {
    starts,
    lengths,
    slots,
    find(bytes, count) {
      let misses = 0
      for (let i = 0; i < count; i++) {
        if (users.isAt(likely, bytes, starts[i]!, lengths[i]!)) slots[i] = likely++
        else {
          missed[misses] = i
          hashes[misses++] = murmur2(bytes, starts[i]!, lengths[i]!)
        }
      }
      if (misses === 0) return
      touched ^= users.warm(hashes, misses)
      for (let m = 0; m < misses; m++) {
        const i = missed[m]!
        slots[i] = users.find(bytes, starts[i]!, lengths[i]!, hashes[m]!)
      }
      // Users who came by again later stand elsewhere, and the others go on behind them; unless all are of another stretch.
      if (misses === count && slots[count - 1]! >= 0) likely = slots[count - 1]! + 1
    },
  }
}
