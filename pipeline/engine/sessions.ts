// The engine's sessions: one request at a time in each, every one with its own database, settings and parameters. The only file that imports chdb.
import { Session } from 'chdb'
import { quoteName, quoteText } from '../../schemas/ddl.ts'

export type Work = {
  /** Found in the engine's process list, for `cancel`; undefined where it never will be (saves a statement). */
  tag: string | undefined
  database: string
  settings: readonly (readonly [name: string, value: string])[]
  /** Values as the HTTP interface has them: text in the escaped form of TabSeparated. */
  params: readonly (readonly [name: string, value: string])[]
  /** The session is thrown away afterwards, with what the statement leaves in it. */
  staysInSession: boolean
}

export type EngineResult = {
  bytes: Uint8Array
  /** Rows read by a SELECT, written by an INSERT. */
  rows: number
}

export type Running = {
  whole(sql: string, format: string): Promise<EngineResult>
  /**
   * A SELECT's result piece by piece, each piece a whole document of the format. Planning, and with it every subquery that the plan needs the result
   * of (scalars, sets for IN; those in views too), blocks this process.
   */
  pieces(sql: string, format: string): AsyncIterable<Uint8Array>
}

export type Sessions = {
  /** With full rights. */
  run<T>(work: Work, use: (running: Running) => Promise<T>): Promise<T>
  /**
   * readonly=1 and `readerLimits`, which the engine itself upholds. `send` is given what came of it, when the session has ended but not its turn: what
   * is being sent is held in memory, so that no more may be held at once than are asked at once.
   */
  runReadOnly<T>(work: Work, use: (running: Running) => Promise<T>, send: (result: T) => Promise<void>): Promise<void>
  /** Those of the names that are databases. */
  databasesAmong(names: readonly string[]): Promise<string[]>
  /** The engine looks at this between blocks of rows: a query that is stuck in one (a slow remote table, say) goes on. */
  cancel(tag: string): Promise<void>
  cancelAll(): Promise<void>
  version: string
  timezone: string
  /** Names that begin a table function, in lower case. */
  tableFunctions: ReadonlySet<string>
  /** Waits for what runs. Nothing may be run afterwards. */
  close(): Promise<void>
}

export type SessionsOptions = {
  directory: string
  /** Made where it is missing: refreshable views and most else want an Atomic one. */
  database: string
  connectionArguments: readonly string[]
  readerLimits: Readonly<Record<string, string>>
  /** Sessions that run at once; the rest wait. */
  parallel?: number
}

export async function openSessions(options: SessionsOptions): Promise<Sessions> {
  const { directory } = options
  // Arguments count only where they come with the first connection; it stays for cancelling, when all others are busy.
  const first = new Session(directory, { connectionArgs: [...options.connectionArguments] })
  await first.queryAsync(`CREATE DATABASE IF NOT EXISTS ${quoteName(options.database)} ENGINE = Atomic`)
  const [version = '', timezone = ''] = (await first.queryAsync('SELECT version(), timezone()', { format: 'TSV' }))
    .text()
    .trim()
    .split('\t')
  const names = (await first.queryAsync('SELECT lower(name) FROM system.table_functions', { format: 'TSV' })).text()

  const parallel = options.parallel ?? 4
  const writers = turns(parallel)
  const readers = turns(parallel)
  const idle: Pooled[] = []
  const underWay = new Set<Promise<unknown>>()

  async function tracked<T>(run: () => Promise<T>): Promise<T> {
    const done = run()
    underWay.add(done)
    try {
      return await done
    } finally {
      underWay.delete(done)
    }
  }

  async function inReadOnlySession<T>(work: Work, use: (running: Running) => Promise<T>): Promise<T> {
    // A session cannot leave readonly=1, nor take settings in it: each request gets one of its own (about 2 ms).
    const session = new Session(directory)
    try {
      const params = await setParams(session, work.params)
      const settings = [...Object.entries(options.readerLimits), ...work.settings, ['log_comment', work.tag ?? ''] as const]
      const before = settings.map(([name, value]) => `SET ${name} = ${quoteText(value)}`)
      await session.queryAsync([`USE ${quoteName(work.database)}`, ...params, ...before, 'SET readonly = 1'].join('; '))
      return await use(runningIn(session))
    } finally {
      session.close()
    }
  }

  return {
    version,
    timezone,
    tableFunctions: new Set(names.split('\n').filter((name) => name !== '')),

    run: (work, use) =>
      tracked(() =>
        writers(async () => {
          const pooled = idle.pop() ?? { session: new Session(directory), database: 'default' }
          // A failed statement stays in its session, and in the process list, until the next one or the end.
          let sound = false
          try {
            const result = await inSession(pooled, work, use)
            sound = !work.staysInSession
            return result
          } finally {
            if (sound) idle.push(pooled)
            else pooled.session.close()
          }
        }),
      ),

    runReadOnly: (work, use, send) => tracked(() => readers(async () => await send(await inReadOnlySession(work, use)))),

    async databasesAmong(names) {
      if (names.length === 0) return []
      return await tracked(async () => {
        const session = new Session(directory)
        try {
          const list = names.map(quoteText).join(', ')
          const found = await session.queryAsync(`SELECT groupArray(name) FROM system.databases WHERE name IN (${list})`, {
            format: 'JSONCompactEachRow',
          })
          return (JSON.parse(found.text()) as [string[]])[0]
        } finally {
          session.close()
        }
      })
    },

    async cancel(tag) {
      await first.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${quoteText(tag)} ASYNC`)
    },
    async cancelAll() {
      await first.queryAsync("KILL QUERY WHERE Settings['log_comment'] != '' AND query_kind = 'Select' ASYNC")
    },
    async close() {
      while (underWay.size > 0) await Promise.allSettled(underWay)
      for (const { session } of idle) session.close()
      first.close()
    },
  }
}

type Pooled = { session: Session; database: string | undefined }

async function inSession<T>(pooled: Pooled, work: Work, use: (running: Running) => Promise<T>): Promise<T> {
  const { session } = pooled
  const before = work.settings.map(([name, value]) => `SET ${name} = ${quoteText(value)}`)
  if (work.tag !== undefined) before.unshift(`SET log_comment = ${quoteText(work.tag)}`)
  if (pooled.database !== work.database) {
    pooled.database = undefined
    before.unshift(`USE ${quoteName(work.database)}`)
  }
  try {
    before.push(...(await setParams(session, work.params)))
    if (before.length > 0) await session.queryAsync(before.join('; '))
    pooled.database = work.database
    return await use(runningIn(session))
  } finally {
    const names = new Set(work.settings.map(([name]) => name))
    // A name that could not be set cannot be reset either; one by one, so that it keeps no other from it.
    if (names.size > 0)
      await session
        .queryAsync([...names].map((name) => `SET ${name} = DEFAULT`).join('; '))
        .catch(() => Promise.allSettled([...names].map((name) => session.queryAsync(`SET ${name} = DEFAULT`))))
  }
}

/** A statement, and several at once, may have 256 KiB; a parameter as much as a request. */
const longSet = 100_000

/**
 * `SET param_` is parallel across sessions, where the binding's own parameters are serialized for the whole process. Returns statements to run with the
 * others, each of which costs half a millisecond alone; what is long has been set.
 */
async function setParams(session: Session, params: Work['params']): Promise<string[]> {
  const together: string[] = []
  let length = 0
  for (const [name, value] of params) {
    const set = `SET param_${name} = ${quoteText(value)}`
    if (length + set.length <= longSet) {
      together.push(set)
      length += set.length
    } else {
      await session.queryAsync(`SET max_query_size = ${4 * set.length + 1_000}`)
      await session.queryAsync(set)
      await session.queryAsync('SET max_query_size = DEFAULT')
    }
  }
  return together
}

function runningIn(session: Session): Running {
  return {
    async whole(sql, format) {
      const result = await session.queryAsync(sql, { format })
      return { bytes: result.bytes(), rows: result.rowsRead }
    },
    async *pieces(sql, format) {
      for await (const piece of session.queryStream(sql, { format })) yield piece.raw()
    },
  }
}

/** At most so many at once, the others in the order in which they came. */
function turns(atOnce: number): <T>(run: () => Promise<T>) => Promise<T> {
  let free = atOnce
  const waiting: (() => void)[] = []
  return async (run) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
