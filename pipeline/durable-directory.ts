// Makes a directory that a power cut does not take away: the new name in each parent is synced too.
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Like mkdirSync, with parents. */
export function makeDurableDirectory(path: string, mode = 0o777): void {
  const made = resolve(path)
  const first = mkdirSync(made, { recursive: true, mode }) ?? made
  // Where it was there already, whoever made it may have been killed before this.
  for (let name = made; ; name = dirname(name)) {
    syncDirectory(dirname(name))
    if (name === first) return
  }
}

/** What was created, renamed and removed in it is on disk when this returns. */
export function syncDirectory(path: string): void {
  let directory: number
  try {
    directory = openSync(path, 'r')
  } catch (error) {
    // A directory that may be written to and not read: only its owner can do something about that.
    if ((error as { code?: string }).code === 'EACCES') return
    throw error
  }
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
