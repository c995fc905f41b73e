// Settings of an INSERT … SELECT that makes one block, and so one part: it is there whole or not at all.

const oneBlock = {
  max_insert_threads: 1,
  min_insert_block_size_rows: 100_000_000,
  min_insert_block_size_bytes: 2 ** 33,
  optimize_on_insert: 0,
  async_insert: 0,
}

export const oneBlockSettings = Object.entries(oneBlock)
  .map(([name, value]) => `${name} = ${value}`)
  .join(', ')
