// Where an import keeps what memory does not hold: a directory of its own, gone with it, or swept by the next import.
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export type Spool = { directory: string; remove(): void }

const form = /^reelpulse-import-(\d+)-/

/** Removes what dead imports left in `parent`, then makes a directory there. */
export function openSpool(parent: string): Spool {
  const made = mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent)) {
    const pid = form.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true })
  }
  const directory = mkdtempSync(join(parent, `reelpulse-import-${process.pid}-`))
  return {
    directory,
    remove() {
      rmSync(directory, { recursive: true, force: true })
      if (made !== undefined) {
        try {
          rmdirSync(parent)
        } catch {
          // Another import is there.
        }
      }
    },
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
