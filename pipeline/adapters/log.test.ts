// The Log port's contract, on every adapter.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { Log } from '../ports/log.ts'
import { logContract } from '../testing/log-contract.ts'
import { missingKafka, sharedKafka } from '../testing/shared-kafka.ts'
import { embeddedLog } from './embedded-log.ts'
import { kafkaLog } from './kafka-log.ts'

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

const missing = await missingKafka()
if (missing) {
  describe('a log (Kafka)', () => test.skip(missing))
} else {
  logContract('Kafka', async () => {
    const brokers = [await sharedKafka()]
    const logs: Log[] = []
    const another = async () => {
      const log = kafkaLog({ brokers, sessionTimeoutMs: 6_000 })
      logs.push(log)
      return log
    }
    return {
      log: await another(),
      another,
      async close() {
        for (const log of logs) await log.close()
      },
    }
  })
}
