// What the supervisor and the engine's process say to each other, over the channel between parent and child.
import type { Credentials } from './request.ts'

/**
 * What is synced before an insert is acknowledged: nothing; a part's files; its directory too; and the directories in which it and its table have their
 * names. Only the last outlives a power cut on every file system; the others are there so that the price can be told.
 */
export type Fsync = 'nothing' | 'files' | 'part directories' | 'all'

export type EngineStart = {
  /** chdb's own directory. */
  directory: string
  database: string
  socketPath: string
  /** Listens on this port of `host` too, for programs that know no Unix sockets. 0: any port that is free. */
  port: number | undefined
  /** On any but a loopback address only the reader is let in. */
  host: string
  /** The databases that the reader may read, the first where a request names none; undefined: every topic's. */
  readerDatabases: readonly string[] | undefined
  /** Preferred first; made and swept by the engine. */
  spoolDirectories: readonly string[]
  maxBodyBytes: number
  fsync: Fsync
  owner: Credentials
  reader: Credentials
}

export type ToEngine = { say: 'start'; options: EngineStart } | { say: 'stop' }

export type FromEngine = { say: 'ready'; version: string; port: number | undefined } | { say: 'failed'; reason: string }
