// For tests: an import in a process of its own that kills itself (SIGKILL) at one of its appends.
import { embeddedLog } from '../adapters/embedded-log.ts'
import { kafkaLog } from '../adapters/kafka-log.ts'
import type { Log } from '../ports/log.ts'
import { runImport, type ImportOptions } from './import.ts'

export type CrashOptions = {
  at: { brokers: string } | { directory: string }
  import: Pick<ImportOptions, 'topic' | 'partitions' | 'file' | 'mapping' | 'currency' | 'emitMs' | 'spoolIn' | 'memoryBytes'>
  /** The append, counted from 1, at which it dies; Infinity is no JSON: null, not at all. */
  append: number | null
  when: 'before' | 'during' | 'after'
}

const options = JSON.parse(process.argv[2]!) as CrashOptions
const die = () => process.kill(process.pid, 'SIGKILL')
const log: Log = 'brokers' in options.at ? kafkaLog({ brokers: [options.at.brokers] }) : await embeddedLog(options.at.directory)
let appends = 0
await runImport(
  {
    ...log,
    async append(topic, records) {
      if (++appends !== options.append) return log.append(topic, records)
      if (options.when === 'before') die()
      const done = log.append(topic, records)
      if (options.when === 'during') setImmediate(die)
      await done
      die()
    },
  },
  options.import,
)
await log.close()
process.exit(0)
