// Which member of a group gets which partitions: evenly, and moving as few as possible, since a moved one reloads its state.

export type MemberWish = { id: string; owned: readonly number[] }

/** Every partition in [0, partitions) to one member; member counts differ by at most one. Depends on nothing but its input. */
export function assignPartitions(partitions: number, members: readonly MemberWish[]): Map<string, number[]> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const result = new Map<string, number[]>(sorted.map(({ id }) => [id, []]))
  if (sorted.length === 0) return result
  const taken = new Set<number>()
  const least = Math.floor(partitions / sorted.length)
  let extra = partitions % sorted.length
  // Those who own most keep the larger shares.
  for (const { id, owned } of sorted.toSorted((a, b) => b.owned.length - a.owned.length)) {
    const mine = result.get(id) as number[]
    for (const partition of owned.toSorted((a, b) => a - b)) {
      if (partition >= partitions || taken.has(partition)) continue
      if (mine.length === least) {
        if (extra === 0) break
        extra--
      } else if (mine.length > least) break
      mine.push(partition)
      taken.add(partition)
    }
  }
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter((partition) => !taken.has(partition))
  for (const mine of result.values()) while (mine.length < least) mine.push(free.shift() as number)
  for (const mine of result.values()) if (free.length > 0 && mine.length === least) mine.push(free.shift() as number)
  for (const mine of result.values()) mine.sort((a, b) => a - b)
  return result
}
