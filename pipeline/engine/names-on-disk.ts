// Syncs the directories in which the engine has created and renamed: with fsync_after_insert and fsync_part_directory it syncs a part's files and the
// part's own directory, but not the table's directory, in which the part gets its name, nor those in which a table does (docs/decisions/durability.md).
import { readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

export type NamesOnDisk = {
  /** What was named in the engine's directory before the call is on disk when it resolves. */
  sync(): Promise<void>
}

/** A directory that changed so shortly before it was looked at may change again within the same instant of its file system's clock. */
const clockStepMs = 2_000

export function namesOnDisk(directory: string): NamesOnDisk {
  /** When each directory had last changed before it was synced. */
  const synced = new Map<string, number>()

  async function syncOne(path: string): Promise<void> {
    const lookedAtMs = Date.now()
    const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (changedAtMs === undefined || synced.get(path) === changedAtMs) return
    let handle
    try {
      handle = await open(path, 'r')
    } catch (error) {
      // A table that was dropped meanwhile.
      if ((error as { code?: string }).code === 'ENOENT') return
      throw error
    }
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (Math.abs(lookedAtMs - changedAtMs) > clockStepMs) synced.set(path, changedAtMs)
  }

  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const run = (): Promise<void> => {
    running = Promise.all([...directoriesOf(directory)].map(syncOne)).then(() => {})
    return running.finally(() => (running = undefined))
  }
  return {
    sync() {
      if (running === undefined) return run()
      // One that is under way may have passed what is to be synced; all who wait share the one after it.
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined
          return run()
        })
      return next
    },
  }
}

/** All but parts: the engine syncs those itself. */
function* directoriesOf(root: string): Generator<string> {
  yield root
  yield join(root, 'metadata')
  const data = join(root, 'data')
  yield data
  yield* foldersIn(data)
  const store = join(root, 'store')
  yield store
  for (const prefix of foldersIn(store)) {
    yield prefix
    for (const table of foldersIn(prefix)) {
      yield table
      yield join(table, 'deduplication_logs')
    }
  }
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [join(path, entry.name)] : []))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
}
