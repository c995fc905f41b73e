// Which users a partition has seen: user id ↔ slot, the small integer under which every column keeps a user's state.

export type UserRegistry = {
  /** Users known; slots are [0, count). */
  count(): number
  /** Slot of the user whose id is bytes [from, from + length), or -1. `hash` = murmur2 of those bytes. */
  find(bytes: Uint8Array, from: number, length: number, hash: number): number
  /**
   * Brings into the cache what `find` and `intern` will read for the first `count` of these murmur2s. Asked for together, far memory answers
   * for many at once; asked for one after the other, each is waited for. Returns a number that says nothing.
   */
  warm(hashes: Int32Array, count: number): number
  /** Is this the slot of the user whose id is bytes [from, from + length)? Asks for no hash. */
  isAt(slot: number, bytes: Uint8Array, from: number, length: number): boolean
  /** The same as `find`, and makes the user known if need be. */
  intern(bytes: Uint8Array, from: number, length: number, hash: number): number
  /** Makes room for so many users at once. */
  reserve(users: number): void
  /** Nobody finds the user again: the same id gets another slot. The slot itself stays, for nobody. */
  forget(slot: number): void
  hash(slot: number): number
  /** A copy of the user's id. */
  id(slot: number): Uint8Array
  /** Where the id stands in `ids()`. */
  idStart(slot: number): number
  idLength(slot: number): number
  /** All ids, one after the other. Borrowed: valid until the next `intern`. */
  ids(): Uint8Array
  /** Orders the first `count` slots of a list by the bytes of their ids. O(n log n). */
  sort(slots: Int32Array, count: number): void
}

/** A larger copy, of the first `used` elements: pages that nobody wrote yet should stay so. */
export function grown<A extends Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array>(
  array: A,
  length: number,
  used: number = array.length,
): A {
  const larger = new (array.constructor as new (length: number) => A)(length)
  larger.set(used === array.length ? array : array.subarray(0, used))
  return larger
}

export function userRegistry(onGrow: (capacity: number) => void, initialCapacity = 1024): UserRegistry {
  let capacity = initialCapacity
  let users = 0
  // Pairs of (slot + 1 or 0, hash), at most half full: that a place is somebody else's is seen without a look elsewhere in memory.
  let places = capacity * 4
  let table = new Int32Array(places * 2)
  let hashes = new Int32Array(capacity)
  let starts = new Int32Array(capacity + 1) // of ids; the next one's start is this one's end
  let ids = new Uint8Array(capacity * 16)
  let scratch: Int32Array = new Int32Array(1024)
  const forgotten = new Set<number>()

  // All keys of a partition agree in murmur2 modulo the partition count: mix, so that they do not share table places.
  const place = (hash: number) => {
    const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    return (mixed ^ (mixed >>> 13)) & (places - 1)
  }

  function hasId(slot: number, bytes: Uint8Array, from: number, length: number): boolean {
    const start = starts[slot]!
    if (starts[slot + 1]! - start !== length) return false
    for (let j = 0; j < length; j++) if (ids[start + j] !== bytes[from + j]) return false
    return true
  }

  function find(bytes: Uint8Array, from: number, length: number, hash: number): number {
    const mask = places - 1
    for (let i = place(hash); ; i = (i + 1) & mask) {
      const slot = table[i * 2]! - 1
      if (slot < 0) return -1
      if (table[i * 2 + 1] === hash && hasId(slot, bytes, from, length)) return slot
    }
  }

  function warm(hashOf: Int32Array, count: number): number {
    if (scratch.length < count) scratch = new Int32Array(count)
    for (let i = 0; i < count; i++) scratch[i] = table[place(hashOf[i]!) * 2]! - 1
    for (let i = 0; i < count; i++) scratch[i] = scratch[i]! < 0 ? 0 : starts[scratch[i]!]!
    let sum = 0
    for (let i = 0; i < count; i++) sum += ids[scratch[i]!]!
    return sum
  }

  function insert(slot: number): void {
    const mask = places - 1
    const hash = hashes[slot]!
    let i = place(hash)
    while (table[i * 2] !== 0) i = (i + 1) & mask
    table[i * 2] = slot + 1
    table[i * 2 + 1] = hash
  }

  function intern(bytes: Uint8Array, from: number, length: number, hash: number): number {
    const known = find(bytes, from, length, hash)
    if (known >= 0) return known
    const slot = users
    if (slot === capacity) grow(capacity * 2)
    const start = starts[slot]!
    if (start + length > ids.length) ids = grown(ids, Math.max(ids.length * 2, start + length))
    for (let j = 0; j < length; j++) ids[start + j] = bytes[from + j]!
    starts[slot + 1] = start + length
    hashes[slot] = hash
    users++
    if (users * 2 > places) spread(places * 2)
    else insert(slot)
    return slot
  }

  function grow(to: number): void {
    capacity = to
    hashes = grown(hashes, capacity)
    starts = grown(starts, capacity + 1)
    onGrow(capacity)
  }

  function spread(to: number): void {
    places = to
    table = new Int32Array(places * 2)
    for (let slot = 0; slot < users; slot++) if (!forgotten.has(slot)) insert(slot)
  }

  function reserve(wanted: number): void {
    if (wanted > capacity) grow(wanted)
    if (wanted * 2 > places) spread(2 ** Math.ceil(Math.log2(wanted * 2)))
  }

  function forget(slot: number): void {
    forgotten.add(slot)
    const mask = places - 1
    let gap = place(hashes[slot]!)
    while (table[gap * 2] !== slot + 1) gap = (gap + 1) & mask
    // Whoever was pushed past the gap moves up, or nobody would find them behind it.
    for (let i = (gap + 1) & mask; table[i * 2] !== 0; i = (i + 1) & mask) {
      const home = place(table[i * 2 + 1]!)
      if (((i - home) & mask) < ((i - gap) & mask)) continue
      table[gap * 2] = table[i * 2]!
      table[gap * 2 + 1] = table[i * 2 + 1]!
      gap = i
    }
    table[gap * 2] = 0
  }

  function compare(a: number, b: number): number {
    let i = starts[a]!
    let j = starts[b]!
    const endA = starts[a + 1]!
    const endB = starts[b + 1]!
    while (i < endA && j < endB) {
      const difference = ids[i++]! - ids[j++]!
      if (difference !== 0) return difference
    }
    return endA - i - (endB - j)
  }

  function sort(slots: Int32Array, count: number): void {
    // Insertion sort in runs of 8, then a bottom-up merge: stable, and nothing is allocated but a scratch that grows.
    for (let from = 0; from < count; from += 8) {
      const to = Math.min(from + 8, count)
      for (let i = from + 1; i < to; i++) {
        const slot = slots[i]!
        let j = i - 1
        while (j >= from && compare(slots[j]!, slot) > 0) {
          slots[j + 1] = slots[j]!
          j--
        }
        slots[j + 1] = slot
      }
    }
    if (scratch.length < count) scratch = new Int32Array(slots.length)
    let source = slots
    let target = scratch
    for (let width = 8; width < count; width *= 2) {
      for (let from = 0; from < count; from += width * 2) {
        const middle = Math.min(from + width, count)
        const to = Math.min(from + width * 2, count)
        let i = from
        let j = middle
        for (let k = from; k < to; k++)
          target[k] = i < middle && (j >= to || compare(source[i]!, source[j]!) <= 0) ? source[i++]! : source[j++]!
      }
      const swap = source
      source = target
      target = swap
    }
    if (source !== slots) for (let i = 0; i < count; i++) slots[i] = source[i]!
  }

  return {
    count: () => users,
    find,
    isAt: (slot, bytes, from, length) => slot < users && hasId(slot, bytes, from, length) && !forgotten.has(slot),
    warm,
    intern,
    reserve,
    forget,
    hash: (slot) => hashes[slot]!,
    id: (slot) => ids.slice(starts[slot], starts[slot + 1]),
    idStart: (slot) => starts[slot]!,
    idLength: (slot) => starts[slot + 1]! - starts[slot]!,
    ids: () => ids,
    sort,
  }
}
