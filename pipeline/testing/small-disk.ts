// A disk of a few megabytes that a test can fill, and free again: a file system in memory, which only root may mount.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type SmallDisk = {
  path: string
  /** To the last byte. */
  fill(): void
  /** Takes back what `fill` took. */
  free(): void
  remove(): void
}

export function smallDisk(megabytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'reelpulse-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'reelpulse-test', path], { stdio: 'pipe' })
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      const file = openSync(filler, 'a')
      const bytes = Buffer.alloc(1024 * 1024)
      for (let piece = bytes.length; piece >= 1;) {
        try {
          writeSync(file, bytes, 0, piece)
        } catch (error) {
          if ((error as { code?: string }).code !== 'ENOSPC') throw error
          piece = Math.floor(piece / 2)
        }
      }
      closeSync(file)
    },
    free: () => rmSync(filler, { force: true }),
    remove() {
      execFileSync('umount', ['-l', path], { stdio: 'pipe' })
      rmSync(path, { recursive: true })
    },
  }
}

/** Undefined where one can be had. A right that cannot be installed: REELPULSE_REQUIRE_BACKENDS does not ask for it. */
export function smallDiskMissing(): string | undefined {
  try {
    smallDisk(1).remove()
    return undefined
  } catch (error) {
    return `a disk that may be filled has to be mounted, which is not allowed here (${(error as Error).message.trim().split('\n').at(-1)})`
  }
}
