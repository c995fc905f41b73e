// The Store over ClickHouse's HTTP interface: a server's, or the embedded engine's.
import { Agent, type AgentOptions } from 'node:http'
import { Readable } from 'node:stream'
import { ClickHouseLogLevel, ClickHouseError, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client'
import { quoteName } from '../../schemas/ddl.ts'
import type { QueryParams, Store } from '../ports/store.ts'
import { watchingAnswer, type AnswerHead } from './clickhouse-answer.ts'
import { isClickHouses, isTimeout, noAnswer, refusal, storeError, wrongAnswer } from './clickhouse-errors.ts'
import { migrate } from './clickhouse-migrate.ts'
import { rowsOf } from './clickhouse-rows.ts'

export type ClickHouseStoreOptions = {
  /** `http://…` or `https://…`, or `unix:/path/to/socket`. */
  url: string
  user: string
  password: string
  database: string
  /** Requests under way at once; more wait. Default 10. */
  maxConnections?: number
  /** After so long an insert has failed, and may be sent again; the server may still finish it. Default 120 s. */
  insertTimeoutMs?: number
  /** After so long without an answer any other statement has failed. Default 600 s. */
  queryTimeoutMs?: number
}

/** A block of a part's size (100,000 rows, 64 MiB) must not be cut: a retry deduplicates whole blocks only. */
const oneBlock: ClickHouseSettings = {
  max_insert_block_size: '10000000',
  min_insert_block_size_rows: '10000000',
  min_insert_block_size_bytes: String(2 ** 33),
  // One thread reads the rows, in their order.
  max_insert_threads: '1',
  input_format_parallel_parsing: 0,
}

const insertSettings: ClickHouseSettings = {
  ...oneBlock,
  async_insert: 0,
  wait_end_of_query: 1,
  // Nothing is collapsed within an insert: the engine's merges do that, and only later.
  optimize_on_insert: 0,
  deduplicate_blocks_in_dependent_materialized_views: 1,
}

const pingTimeoutMs = 5_000

export function clickhouseStore(options: ClickHouseStoreOptions): Store {
  const { maxConnections = 10, insertTimeoutMs = 120_000, queryTimeoutMs = 600_000 } = options
  const socketPath = options.url.startsWith('unix:') ? options.url.slice('unix:'.length) : undefined
  const clientOf = (database: string | undefined): ClickHouseClient =>
    createClient({
      url: socketPath === undefined ? options.url : 'http://localhost',
      username: options.user,
      password: options.password,
      ...(database === undefined ? {} : { database }),
      // An agent of ours only where it must be. One for each client: a client drops connections that it left idle, whoever has taken them since.
      ...(socketPath === undefined ? {} : { http_agent: unixAgent(socketPath, maxConnections) }),
      max_open_connections: maxConnections,
      request_timeout: queryTimeoutMs,
      // Lists of parameters may exceed what a URL can have.
      use_multipart_params_auto: true,
      application: 'reelpulse',
      // Whatever it would tell is in the error that it throws.
      log: { level: ClickHouseLogLevel.OFF },
    })
  const client = clientOf(options.database)
  let outside: ClickHouseClient | undefined

  async function run<T>(during: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw storeError(error, during)
    }
  }

  const query = <T>(sql: string, params: QueryParams = {}): Promise<T[]> =>
    run('query', () =>
      watchingAnswer(async (queryId, head) => {
        try {
          const result = await client.query({
            query: sql,
            query_id: queryId,
            format: 'JSONCompactEachRowWithNamesAndTypes',
            query_params: { ...params },
            clickhouse_settings: {
              // As numbers they would lose digits on their way through JSON.
              output_format_json_quote_64bit_integers: 1,
              // An error in the middle of a result must come as what it is, not as a connection that broke off.
              wait_end_of_query: 1,
            },
          })
          const answer = head()
          if (answer !== undefined && !isClickHouses(answer)) throw wrongAnswer({ ...answer, body: await result.text() }, 'query')
          return rowsOf<T>(await result.json<unknown[]>())
        } catch (error) {
          throw errorOf(error, head(), 'query')
        }
      }),
    )

  /** Of a request for which the client throws; of an answer that is not ClickHouse's it tells the text alone. */
  function errorOf(error: unknown, answer: AnswerHead | undefined, during: string): unknown {
    if (isTimeout(error)) return noAnswer(during, queryTimeoutMs, error)
    const isPage = error instanceof Error && !(error instanceof ClickHouseError) && (error as { code?: unknown }).code === undefined
    return isPage && answer !== undefined && answer.status !== 200 ? wrongAnswer({ ...answer, body: error.message }, during) : error
  }

  const commandOf = (of: ClickHouseClient, sql: string, params: QueryParams = {}): Promise<void> =>
    run('command', async () => {
      try {
        const { stream, response_headers, http_status_code } = await of.exec({
          query: sql,
          query_params: { ...params },
          clickhouse_settings: { wait_end_of_query: 1 },
          ignore_error_response: true,
        })
        const answer = { status: http_status_code ?? 0, headers: response_headers, body: await beginningOf(stream) }
        if (!isClickHouses(answer)) throw wrongAnswer(answer, 'command')
      } catch (error) {
        throw isTimeout(error) ? noAnswer('command', queryTimeoutMs, error) : error
      }
    })
  const command = (sql: string, params?: QueryParams): Promise<void> => commandOf(client, sql, params)

  return {
    migrate: (tables, views) =>
      migrate(
        {
          database: options.database,
          query,
          command,
          outside: (sql) => commandOf((outside ??= clientOf(undefined)), sql),
        },
        tables,
        views,
      ),

    insert: ({ table, columns, rows, token }) => {
      const during = `insert into ${table}`
      const late = AbortSignal.timeout(insertTimeoutMs)
      return run(during, async () => {
        try {
          const { stream, response_headers, http_status_code } = await client.exec({
            query: `INSERT INTO ${quoteName(table)} (${columns.map(quoteName).join(', ')}) FORMAT RowBinary`,
            values: Readable.from([rows], { objectMode: false }),
            clickhouse_settings: { ...insertSettings, insert_deduplication_token: token },
            abort_signal: late,
            // The client takes any 200 for the server's: refusal() looks closer.
            ignore_error_response: true,
          })
          const body = await beginningOf(stream)
          const refused = refusal({ status: http_status_code ?? 0, headers: response_headers, body }, during)
          if (refused !== undefined) throw refused
        } catch (error) {
          throw late.aborted ? noAnswer(during, insertTimeoutMs, error) : error
        }
      })
    },

    query,
    command,
    async ping() {
      const result = await client.ping({ select: true, abort_signal: AbortSignal.timeout(pingTimeoutMs) })
      return result.success
    },
    async close() {
      await client.close()
      await outside?.close()
    },
  }
}

/** Of what is an error's text or nothing; all is read, so that the connection can be used again. */
async function beginningOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) if (text.length < 64_000) text += String(chunk)
  return text
}

/** An agent hands its options on to the connections it opens, whatever its type says. */
function unixAgent(socketPath: string, maxSockets: number): Agent {
  const options: AgentOptions & { socketPath: string } = { keepAlive: true, maxSockets, socketPath }
  return new Agent(options)
}
