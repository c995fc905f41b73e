// The embedded engine, and log, in a data directory of their own, for the tests of one file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { views } from '../../operators/views.ts'
import { tables } from '../../schemas/tables/catalogue.ts'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'
import type { Store } from '../ports/store.ts'

export type EmbeddedParts = {
  /** As `--data` of the program. */
  dataDir: string
  engine: EmbeddedEngine
  log: EmbeddedLog
}

export type EmbeddedPartsOptions = {
  log?: Parameters<typeof embeddedLog>[1]
  engine?: Omit<Parameters<typeof openEmbeddedEngine>[0], 'dataDir'>
}

/** Awaited at the top of a test file: it is there before the file's first hook, and closed and gone after its last. */
export async function embeddedEngine(name: string, options: EmbeddedPartsOptions['engine'] = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), `reelpulse-${name}-`))
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))
  const engine = await openEmbeddedEngine({ dataDir, ...options })
  afterAll(() => engine.close())
  let databases = 0
  return {
    /** As `--data` of the program. */
    dataDir,
    engine,
    /** A store with every table, in a database of its own where none is named. */
    async newStore(database = `${name.replaceAll('-', '_')}_${databases++}`): Promise<Store> {
      const store = engine.store(database)
      await store.migrate(tables, views)
      return store
    },
  }
}

/** The same with a log. */
export async function embeddedParts(name: string, options: EmbeddedPartsOptions = {}): Promise<EmbeddedParts> {
  const { dataDir, engine } = await embeddedEngine(name, options.engine)
  const log = await embeddedLog(join(dataDir, 'log'), options.log)
  afterAll(() => log.close())
  return { dataDir, engine, log }
}
