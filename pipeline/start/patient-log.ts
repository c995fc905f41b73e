// A log that waits, for simulated traffic: where an append fails (a full disk), it is tried until it lands, as an app's SDK would try.
import { setTimeout as sleep } from 'node:timers/promises'
import { LogFailed, type Log } from '../ports/log.ts'

const retryMs = 1_000
const toldAgainAfter = 30

/** Once `signal` is aborted, what could not be appended is let go, and nothing more is appended. */
export function patientLog(log: Log, signal: AbortSignal, tell: (message: string) => void): Log {
  return {
    ...log,
    async append(topic, records) {
      for (let tries = 0; ; tries++) {
        try {
          return await log.append(topic, records)
        } catch (error) {
          // A failed append left nothing behind.
          if (!(error instanceof LogFailed)) throw error
          if (signal.aborted) return
          if (tries % toldAgainAfter === 0) tell(`traffic waits: ${error.message}`)
          await sleep(retryMs, undefined, { signal }).catch(() => {})
        }
      }
    },
  }
}
