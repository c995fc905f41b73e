// Rows of a table (i UInt32, j UInt32) in RowBinary, of which i tells the insert: for tests that look for whole inserts.

export function rowsOf(i: number, count: number): Uint8Array {
  const rows = Buffer.alloc(count * 8)
  for (let j = 0; j < count; j++) {
    rows.writeUInt32LE(i, j * 8)
    rows.writeUInt32LE(j, j * 8 + 4)
  }
  return rows
}
