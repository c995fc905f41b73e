// What this machine says: its Node, the data directory, and the settings that concern more than one part.
import { existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { holderOf } from '../adapters/embedded/lock.ts'
import { addressPath } from '../engine/address.ts'
import type { DataDirFacts, MachineFacts } from './facts.ts'
import { known } from './finding.ts'

export async function gatherMachine(dataDir: string, settings: MachineFacts['settings']): Promise<MachineFacts> {
  const usesData = !settings.brokers || !settings.clickhouse
  return {
    nodeVersion: process.versions.node,
    settings,
    dataDir: usesData && existsSync(dataDir) ? await gatherDataDir(resolve(dataDir)) : undefined,
  }
}

async function gatherDataDir(path: string): Promise<DataDirFacts> {
  return {
    path,
    freeBytes: await known(async () => {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    }),
    engineJsonMode: existsSync(addressPath(path)) ? statSync(addressPath(path)).mode & 0o777 : undefined,
    logHolder: await known(() => holderOf(join(path, 'log'))),
  }
}
