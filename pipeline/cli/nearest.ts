// Which known name a mistyped one may have meant.

/** ` (did you mean a or b?)`, or nothing where no name is near. */
export function nearest(name: string, known: readonly string[], prefix = ''): string {
  const near = known
    .map((candidate) => ({ candidate, distance: candidate.startsWith(name) && name !== '' ? 1 : distance(name, candidate) }))
    .filter((one) => one.distance <= Math.max(2, Math.floor(name.length / 3)))
    .toSorted((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map((one) => prefix + one.candidate)
  return near.length === 0 ? '' : ` (did you mean ${near.join(' or ')}?)`
}

/** Edits, one letter each or two neighbours swapped (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2]![j - 2]! + 1 : Infinity
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), swapped))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
