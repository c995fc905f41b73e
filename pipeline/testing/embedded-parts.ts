// The embedded log and engine, in a data directory of their own, for the tests of one file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { embeddedLog, type EmbeddedLog } from '../adapters/embedded-log.ts'
import { openEmbeddedEngine, type EmbeddedEngine } from '../adapters/embedded-store.ts'

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

/** Awaited at the top of a test file: they are there before its first hook, and closed and gone after its last. */
export async function embeddedParts(name: string, options: EmbeddedPartsOptions = {}): Promise<EmbeddedParts> {
  const dataDir = mkdtempSync(join(tmpdir(), `reelpulse-${name}-`))
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))
  const engine = await openEmbeddedEngine({ dataDir, ...options.engine })
  afterAll(() => engine.close())
  const log = await embeddedLog(join(dataDir, 'log'), options.log)
  afterAll(() => log.close())
  return { dataDir, engine, log }
}
