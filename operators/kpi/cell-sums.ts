// Sums by (bucket, cell): a hash table over columns, with open addressing.
import { grown } from '../users/registry.ts'

export type CellSums = ReturnType<typeof cellSums>

/** `width`: sums of a cell. Buckets are told by their first minute. */
export function cellSums(width: number) {
  let table = new Int32Array(1024) // row + 1, or 0; at most half full
  let minutes = new Float64Array(512)
  let cells = new Int32Array(512)
  let sums = new Float64Array(512 * width)
  let rows = 0

  const place = (minute: number, cell: number) => {
    const mixed = Math.imul(Math.imul(minute, 0x9e3779b1) ^ cell, 0x85ebca6b)
    return (mixed ^ (mixed >>> 15)) & (table.length - 1)
  }

  return {
    /** Start of the cell's sums in `sums()`. */
    at(minute: number, cell: number): number {
      let i = place(minute, cell)
      for (let row; (row = table[i]! - 1) >= 0; i = (i + 1) & (table.length - 1))
        if (minutes[row] === minute && cells[row] === cell) return row * width
      const row = rows++
      table[i] = row + 1
      minutes[row] = minute
      cells[row] = cell
      sums.fill(0, row * width, (row + 1) * width)
      if (rows === minutes.length) {
        minutes = grown(minutes, rows * 2)
        cells = grown(cells, rows * 2)
        sums = grown(sums, rows * 2 * width)
        table = new Int32Array(table.length * 2)
        for (let other = 0; other < rows; other++) {
          let j = place(minutes[other]!, cells[other]!)
          while (table[j] !== 0) j = (j + 1) & (table.length - 1)
          table[j] = other + 1
        }
      }
      return row * width
    },
    sums: () => sums,
    rows: () => rows,
    minute: (row: number) => minutes[row]!,
    cell: (row: number) => cells[row]!,
    clear() {
      table.fill(0)
      rows = 0
    },
  }
}
