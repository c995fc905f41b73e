// One process per directory: the operating system drops SQLite's lock with the process, however it ends.

import { LogInUse } from '../../ports/log.ts'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export type DirectoryLock = { release(): void }

export function lockDirectory(directory: string): DirectoryLock {
  const holder = join(directory, 'holder.json')
  const db = new DatabaseSync(join(directory, 'lock.db'), { timeout: 0 })
  try {
    db.exec('begin exclusive')
  } catch (error) {
    db.close()
    if ((error as { errcode?: number }).errcode !== 5) throw error
    throw new LogInUse(`${directory} is in use by ${describe(holder)}: stop it first, or give this one a directory of its own (--data)`, {
      cause: error,
    })
  }
  writeFileSync(holder, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }) + '\n')
  return {
    release() {
      db.close()
    },
  }
}

/**
 * Who has the directory; undefined: nobody. It looks through the same lock, for an instant and shared with others who look;
 * nothing is made.
 */
export function holderOf(directory: string): string | undefined {
  const path = join(directory, 'lock.db')
  if (!existsSync(path)) return undefined
  const db = new DatabaseSync(path, { timeout: 0, readOnly: true })
  try {
    db.prepare('select count(*) from sqlite_master').get()
    return undefined
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== 5) throw error
    return describe(join(directory, 'holder.json'))
  } finally {
    db.close()
  }
}

function describe(holder: string): string {
  try {
    const { pid, since } = JSON.parse(readFileSync(holder, 'utf8')) as { pid: number; since: string }
    return `process ${pid} since ${since}`
  } catch {
    return 'another process'
  }
}
