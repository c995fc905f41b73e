// When users get a row: at the end of an interval in which a flush of theirs arrived, and when a tile leaves a window.
// Every due instant comes from the log's clock and the user's id, so a replay fires the same.
import { windows } from '../../schemas/measures.ts'
import { grown, type UserRegistry } from '../users/registry.ts'

/** Tiles of every window leave at multiples of the smallest hop. */
const hopMs = windows[0].hopMs
/** Buckets of users by the instant of their next leave: more than the longest window and hop reach ahead. */
const ring = 16_384
const spreadS = 60
const NOT_QUEUED = 0
const WAITING = -1

export type EmissionSchedule = {
  /** Nothing is due before this instant; something may be at it (then call `take`). Infinity where nothing is planned. */
  dueAt(): number
  /**
   * Takes what is due first, if that is at or before `upTo`: as_of of the rows, or NaN where nothing is. The users, in the
   * order of their ids, are `slots[0, count())`, and stand in no queue any more: the caller plans their next decay.
   */
  take(upTo: number): number
  count(): number
  slots(): Int32Array
  /** A flush of the user arrived at the clock. */
  arrived(slot: number, clockAt: number): void
  /** The user's next tile leaves at `leaveAt` (a multiple of 5 min, or Infinity). Does nothing while a decay row waits. */
  planDecay(slot: number, leaveAt: number): void
  /** as_of of the user's row at the end of the present interval; 0 where none is due. */
  pendingAt(slot: number): number
  /** as_of of the user's waiting decay row; 0 where none waits. */
  waitingAt(slot: number): number
  /** Puts a decay row back that waited when the state was written. Then `endRestore`. */
  restoreWaiting(slot: number, dueAt: number): void
  endRestore(): void
  /** The decay row's as_of of a user, for a tile that leaves at `leaveAt`. */
  decayDueAt(slot: number, leaveAt: number): number
  resize(users: number): void
}

export function emissionSchedule(emitMs: number, users: UserRegistry, initialUsers: number): EmissionSchedule {
  // Rows of the present interval.
  let intervalEnd = Infinity
  let intervalSlots = new Int32Array(1024)
  let intervalCount = 0
  let inInterval = new Uint8Array(initialUsers)

  // Decay: doubly linked lists of users by their next leave, and those whose leave has come, waiting for their second.
  const heads = new Int32Array(ring).fill(-1)
  let nexts = new Int32Array(initialUsers)
  let previous = new Int32Array(initialUsers)
  let leaves = new Int32Array(initialUsers) // leave / hopMs; NOT_QUEUED or WAITING
  let queued = 0
  let nextLeave = Infinity // of all queued users, in hops; a lower bound
  let waitingSlots = new Int32Array(256)
  const waitingEnds = new Int32Array(spreadS) // end in waitingSlots of each second's users
  let waitingFrom = 0
  let waitingSecond = spreadS
  let waitingLeave = 0

  let taken = new Int32Array(1024)
  let takenCount = 0
  let due = Infinity

  const secondOf = (slot: number) => (users.hash(slot) & 0x7fffffff) % spreadS

  function unlink(slot: number): void {
    const leave = leaves[slot]!
    const next = nexts[slot]!
    const before = previous[slot]!
    if (before < 0) heads[leave & (ring - 1)] = next
    else nexts[before] = next
    if (next >= 0) previous[next] = before
    leaves[slot] = NOT_QUEUED
    queued--
  }

  function link(slot: number, leave: number): void {
    const bucket = leave & (ring - 1)
    const next = heads[bucket]!
    heads[bucket] = slot
    nexts[slot] = next
    previous[slot] = -1
    if (next >= 0) previous[next] = slot
    leaves[slot] = leave
    queued++
    if (leave < nextLeave) nextLeave = leave
  }

  function findNextLeave(): void {
    if (queued === 0) {
      nextLeave = Infinity
      return
    }
    while (heads[nextLeave & (ring - 1)]! < 0) nextLeave++
  }

  function setDue(): void {
    due = Math.min(intervalEnd, waitingSecond < spreadS ? waitingLeave + waitingSecond * 1000 : Infinity, nextLeave * hopMs)
  }

  /** Moves the users of the next leave to the waiting list, by second and id. */
  function gather(): void {
    const leave = nextLeave
    let count = 0
    for (let slot = heads[leave & (ring - 1)]!; slot >= 0; slot = nexts[slot]!) {
      if (count === waitingSlots.length) waitingSlots = grown(waitingSlots, count * 2)
      waitingSlots[count++] = slot
    }
    heads[leave & (ring - 1)] = -1
    queued -= count
    for (let i = 0; i < count; i++) leaves[waitingSlots[i]!] = WAITING
    waitingLeave = leave * hopMs
    sortWaiting(count)
    nextLeave = leave + 1
    findNextLeave()
  }

  function sortWaiting(count: number): void {
    users.sort(waitingSlots, count)
    // A counting sort by second keeps the order by id.
    waitingEnds.fill(0)
    for (let i = 0; i < count; i++) waitingEnds[secondOf(waitingSlots[i]!)]!++
    for (let second = 1; second < spreadS; second++) waitingEnds[second]! += waitingEnds[second - 1]!
    const sorted = new Int32Array(waitingSlots.length)
    for (let i = count - 1; i >= 0; i--) {
      const slot = waitingSlots[i]!
      const second = secondOf(slot)
      sorted[--waitingEnds[second]!] = slot
    }
    // The loop left each second's start; turn starts back into ends.
    for (let second = 0; second < spreadS - 1; second++) waitingEnds[second] = waitingEnds[second + 1]!
    waitingEnds[spreadS - 1] = count
    waitingSlots = sorted
    waitingFrom = 0
    waitingSecond = 0
    skipEmptySeconds()
  }

  function skipEmptySeconds(): void {
    while (waitingSecond < spreadS && waitingEnds[waitingSecond]! === waitingFrom) waitingSecond++
  }

  function takeSlot(slot: number): void {
    if (takenCount === taken.length) taken = grown(taken, takenCount * 2)
    taken[takenCount++] = slot
  }

  return {
    dueAt: () => due,
    count: () => takenCount,
    slots: () => taken,
    take(upTo) {
      while (due <= upTo) {
        const asOf = due
        if (nextLeave * hopMs === asOf) {
          // A leave comes before anything that is due at it: what is due later may find the tile gone.
          findNextLeave()
          if (nextLeave * hopMs === asOf) gather()
          setDue()
          continue
        }
        takenCount = 0
        if (waitingSecond < spreadS && waitingLeave + waitingSecond * 1000 === asOf) {
          for (const end = waitingEnds[waitingSecond]!; waitingFrom < end; waitingFrom++) {
            const slot = waitingSlots[waitingFrom]!
            leaves[slot] = NOT_QUEUED
            takeSlot(slot)
          }
          skipEmptySeconds()
        }
        if (intervalEnd === asOf) {
          const decayed = takenCount
          if (decayed > 0) for (let i = 0; i < decayed; i++) inInterval[taken[i]!] = 0
          for (let i = 0; i < intervalCount; i++) {
            const slot = intervalSlots[i]!
            if (decayed === 0 || inInterval[slot] === 1) takeSlot(slot)
            inInterval[slot] = 0
          }
          intervalCount = 0
          intervalEnd = Infinity
          users.sort(taken, takenCount)
        }
        setDue()
        return asOf
      }
      return NaN
    },
    arrived(slot, clockAt) {
      if (inInterval[slot] === 1) return
      inInterval[slot] = 1
      if (intervalCount === intervalSlots.length) intervalSlots = grown(intervalSlots, intervalCount * 2)
      intervalSlots[intervalCount++] = slot
      if (intervalCount === 1) {
        intervalEnd = (Math.floor(clockAt / emitMs) + 1) * emitMs
        if (intervalEnd < due) due = intervalEnd
      }
    },
    planDecay(slot, leaveAt) {
      const planned = leaves[slot]!
      if (planned === WAITING) return
      const leave = leaveAt === Infinity ? NOT_QUEUED : leaveAt / hopMs
      if (planned === leave) return
      if (planned !== NOT_QUEUED) unlink(slot)
      if (leave !== NOT_QUEUED) {
        link(slot, leave)
        if (leaveAt < due) due = leaveAt
      }
    },
    pendingAt: (slot) => (inInterval[slot] === 1 ? intervalEnd : 0),
    waitingAt: (slot) => (leaves[slot] === WAITING ? waitingLeave + secondOf(slot) * 1000 : 0),
    restoreWaiting(slot, dueAt) {
      const count = waitingEnds[spreadS - 1]!
      if (count === waitingSlots.length) waitingSlots = grown(waitingSlots, count * 2)
      waitingSlots[count] = slot
      waitingEnds[spreadS - 1] = count + 1
      waitingLeave = dueAt - secondOf(slot) * 1000
      leaves[slot] = WAITING
    },
    endRestore() {
      sortWaiting(waitingEnds[spreadS - 1]!)
      setDue()
    },
    decayDueAt: (slot, leaveAt) => leaveAt + secondOf(slot) * 1000,
    resize(size) {
      inInterval = grown(inInterval, size)
      nexts = grown(nexts, size)
      previous = grown(previous, size)
      leaves = grown(leaves, size)
    },
  }
}
