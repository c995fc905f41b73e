// What the supervisor and the engine's process say to each other, over the channel between parent and child.
import type { Credentials } from './request.ts'

export type EngineStart = {
  /** chdb's own directory. */
  directory: string
  database: string
  socketPath: string
  /** Listens on the loopback interface too, for programs that know no Unix sockets. 0: any port that is free. */
  port: number | undefined
  /** Preferred first; made and swept by the engine. */
  spoolDirectories: readonly string[]
  maxBodyBytes: number
  /** Every insert reaches the disk before it is acknowledged. */
  fsync: boolean
  owner: Credentials
  reader: Credentials
}

export type ToEngine = { say: 'start'; options: EngineStart } | { say: 'stop' }

export type FromEngine = { say: 'ready'; version: string; port: number | undefined } | { say: 'failed'; reason: string }
