// A heap of timers: which slot is due next. The same calls in the same order give the same order out.

export type Timers = {
  add(atMs: number, slot: number): void
  /** Infinity where there is none. */
  firstAt(): number
  /** Takes the first one's slot out. */
  take(): number
  size(): number
}

export function timers(): Timers {
  let times = new Float64Array(1024)
  let slots = new Int32Array(1024)
  let count = 0
  return {
    add(atMs, slot) {
      if (count === times.length) {
        const moreTimes = new Float64Array(count * 2)
        moreTimes.set(times)
        times = moreTimes
        const moreSlots = new Int32Array(count * 2)
        moreSlots.set(slots)
        slots = moreSlots
      }
      let at = count++
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (times[parent]! <= atMs) break
        times[at] = times[parent]!
        slots[at] = slots[parent]!
        at = parent
      }
      times[at] = atMs
      slots[at] = slot
    },
    firstAt: () => (count === 0 ? Infinity : times[0]!),
    take() {
      const first = slots[0]!
      const atMs = times[--count]!
      const slot = slots[count]!
      let at = 0
      for (;;) {
        let child = at * 2 + 1
        if (child >= count) break
        if (child + 1 < count && times[child + 1]! < times[child]!) child++
        if (times[child]! >= atMs) break
        times[at] = times[child]!
        slots[at] = slots[child]!
        at = child
      }
      times[at] = atMs
      slots[at] = slot
      return first
    },
    size: () => count,
  }
}
