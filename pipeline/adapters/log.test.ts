// The Log port's contract, on every adapter.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logContract } from '../testing/log-contract.ts'
import { embeddedLog } from './embedded-log.ts'

logContract('embedded', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reelpulse-log-'))
  const log = await embeddedLog(directory)
  return {
    log,
    another: async () => log, // one process has it
    async close() {
      await log.close()
      rmSync(directory, { recursive: true })
    },
  }
})
