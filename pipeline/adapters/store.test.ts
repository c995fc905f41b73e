// The Store port's contract, on every engine.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { missingClickHouse, startClickHouse } from '../testing/clickhouse-server.ts'
import { storeContract } from '../testing/store-contract.ts'
import { clickhouseStore } from './clickhouse-store.ts'
import { openEmbeddedEngine } from './embedded-store.ts'

storeContract('the embedded engine', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'reelpulse-store-'))
  const engine = await openEmbeddedEngine({ dataDir })
  return {
    store: (database) => engine.store(database),
    async kill() {
      const pid = engine.pid()
      // None while it is being started again.
      if (pid !== undefined) killHard(pid)
    },
    async close() {
      await engine.close()
      rmSync(dataDir, { recursive: true })
    },
  }
})

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error
  }
}

const missing = await missingClickHouse()
if (missing) {
  describe('a store (a ClickHouse server)', () => test.skip(missing))
} else {
  storeContract('a ClickHouse server', async () => {
    const server = await startClickHouse()
    const { url, user, password } = server
    return {
      store: (database) => clickhouseStore({ url, user, password, database }),
      kill: undefined,
      close: () => server.stop(),
    }
  })
}
