// The program's own messages, on stderr: readable on a terminal, one JSON object a line otherwise.
import { pino, type Logger } from 'pino'
import { PinoPretty } from 'pino-pretty'

export type { Logger }
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

export type LoggerOptions = {
  level: LogLevel
  /** Undefined: whether stderr is a terminal. */
  pretty?: boolean
}

const formatters = { level: (label: string) => ({ level: label }) }

/** `role`: who speaks, such as `process`; a part of it takes `log.child({ partition })`. */
export function logger(role: string, options: LoggerOptions): Logger {
  const pretty = options.pretty ?? process.stderr.isTTY
  const base = { name: role, level: options.level, timestamp: pino.stdTimeFunctions.isoTime, formatters }
  // Written at once: the last words before a crash are the ones that matter.
  if (!pretty) return pino(base, pino.destination({ dest: 2, sync: true }))
  return pino(base, PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }))
}
