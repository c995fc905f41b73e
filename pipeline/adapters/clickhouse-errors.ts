// Which of ClickHouse's errors a retry may cure, and which it never will.
import { ClickHouseError, parseError } from '@clickhouse/client'
import { StoreAway, StoreRefused } from '../ports/store.ts'

/**
 * By ClickHouse's name of the error. Whatever else a server refuses, it will refuse again: better a stop that is seen than retries for
 * ever. UNKNOWN_TABLE and UNKNOWN_DATABASE too: a server that restarts takes no connections, or lets a query wait, until its tables are
 * loaded; so are wrong passwords, which no retry mends.
 */
export const passing: ReadonlySet<string> = new Set([
  // The network between client and server, or between servers
  'NETWORK_ERROR', 'SOCKET_TIMEOUT', 'DNS_ERROR', 'NO_FREE_CONNECTION', 'ALL_CONNECTION_TRIES_FAILED', 'CANNOT_READ_FROM_SOCKET',
  'CANNOT_WRITE_TO_SOCKET', 'UNEXPECTED_END_OF_FILE', 'ATTEMPT_TO_READ_AFTER_EOF', 'UNEXPECTED_PACKET_FROM_CLIENT', 'UNEXPECTED_PACKET_FROM_SERVER',
  'HTTP_CONNECTION_LIMIT_REACHED', 'TCP_CONNECTION_LIMIT_REACHED', 'SHARD_HAS_NO_CONNECTIONS', 'NO_REMOTE_SHARD_AVAILABLE',
  'TOO_MANY_UNAVAILABLE_SHARDS', 'RECEIVED_ERROR_FROM_REMOTE_IO_SERVER', 'RECEIVED_ERROR_TOO_MANY_REQUESTS',
  // Overload
  'TIMEOUT_EXCEEDED', 'TOO_SLOW', 'TOO_MANY_SIMULTANEOUS_QUERIES', 'MEMORY_LIMIT_EXCEEDED', 'CANNOT_ALLOCATE_MEMORY', 'TOO_MANY_PARTS',
  'QUOTA_EXCEEDED', 'SERVER_OVERLOADED', 'CANNOT_SCHEDULE_TASK', 'DEADLOCK_AVOIDED', 'SESSION_IS_LOCKED', 'TOO_MANY_MUTATIONS',
  'USER_SESSION_LIMIT_EXCEEDED', 'RESOURCE_LIMIT_EXCEEDED', 'MEMORY_RESERVATION_KILLED', 'MEMORY_RESERVATION_FAILED', 'PTHREAD_ERROR',
  'DISTRIBUTED_TOO_MANY_PENDING_BYTES',
  // Disks
  'NOT_ENOUGH_SPACE', 'CANNOT_OPEN_FILE', 'CANNOT_WRITE_TO_FILE_DESCRIPTOR', 'CANNOT_READ_FROM_FILE_DESCRIPTOR', 'CANNOT_FSYNC',
  'CANNOT_CLOSE_FILE', 'CANNOT_CREATE_FILE', 'CANNOT_CREATE_DIRECTORY', 'CANNOT_WRITE_TO_FILE', 'CANNOT_STATVFS', 'CANNOT_FSTAT', 'S3_ERROR',
  'AZURE_BLOB_STORAGE_ERROR', 'AWS_ERROR', 'GCP_ERROR', 'GOOGLE_CLOUD_ERROR', 'HDFS_ERROR', 'DISTRIBUTED_CACHE_ERROR', 'SYSTEM_ERROR',
  // Replication
  'TABLE_IS_READ_ONLY', 'NO_ZOOKEEPER', 'UNEXPECTED_ZOOKEEPER_ERROR', 'KEEPER_EXCEPTION', 'TOO_FEW_LIVE_REPLICAS',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE', 'UNKNOWN_STATUS_OF_INSERT', 'ALL_REPLICAS_ARE_STALE', 'NO_ACTIVE_REPLICAS', 'REPLICA_IS_NOT_IN_QUORUM',
  'UNFINISHED', 'RAFT_ERROR', 'NO_AVAILABLE_REPLICA', 'REPLICA_STATUS_CHANGED', 'PART_IS_TEMPORARILY_LOCKED',
  // Starting, stopping, and what has no name
  'ABORTED', 'QUERY_WAS_CANCELLED', 'QUERY_WAS_CANCELLED_BY_CLIENT', 'THREAD_WAS_CANCELED', 'TABLE_IS_BEING_RESTARTED', 'ASYNC_LOAD_WAIT_FAILED', 'ASYNC_LOAD_CANCELED',
  'POCO_EXCEPTION', 'STD_EXCEPTION', 'UNKNOWN_EXCEPTION',
]) // prettier-ignore

/** Reasons for which ClickHouse has no name, because the error is not its own. */
export type OwnReason = 'CONNECTION_REFUSED' | 'CONNECTION_BROKEN' | 'NO_ANSWER' | 'NOT_CLICKHOUSE'

export type Answer = { status: number; headers: Readonly<Record<string, unknown>>; body: string }

/** `during`: what was being done, for the message. */
export function storeError(error: unknown, during: string): StoreRefused | StoreAway {
  if (error instanceof StoreRefused || error instanceof StoreAway) return error
  if (error instanceof ClickHouseError) {
    const name = error.type ?? 'UNKNOWN'
    const message = `${during}: ${error.message.trim()} (${name}, code ${error.code})`
    return passing.has(name) ? new StoreAway(message, { cause: error, reason: name }) : new StoreRefused(message, { cause: error })
  }
  return new StoreAway(`${during}: ${textOf(error)}`, { cause: error, reason: ownReason(error) })
}

/** Of the client: no answer came in the time that it may take. */
export const isTimeout = (error: unknown): boolean => error instanceof Error && /^timeout error/i.test(error.message)

export const noAnswer = (during: string, ms: number, cause: unknown): StoreAway =>
  new StoreAway(`${during}: no answer within ${ms} ms`, { cause, reason: 'NO_ANSWER' satisfies OwnReason })

/**
 * What is wrong with the answer to an insert; undefined: it is the store's acknowledgement. That is a 200 with nothing in it, from
 * ClickHouse: what stands between may answer in its name, and an insert that was never made must not count as made.
 */
export function refusal(answer: Answer, during: string): StoreRefused | StoreAway | undefined {
  return isClickHouses(answer) && answer.body.trim() === '' ? undefined : wrongAnswer(answer, during)
}

/** Whether it is ClickHouse that answers, and with no exception. */
export const isClickHouses = ({ status, headers }: Omit<Answer, 'body'>): boolean =>
  status === 200 &&
  Object.keys(headers).some((name) => name.startsWith('x-clickhouse-')) &&
  headers['x-clickhouse-exception-code'] === undefined

/** An answer that is not what was asked for: an exception of ClickHouse's, or somebody else's page. */
export function wrongAnswer({ status, body }: Answer, during: string): StoreRefused | StoreAway {
  const parsed = parseError(body)
  if (parsed instanceof ClickHouseError) return storeError(parsed, during)
  const said = `HTTP status ${status}${plain(body) === '' ? '' : `: ${plain(body)}`}`
  // A server before ClickHouse takes no body of this size, and the block will not shrink.
  if (status === 413) return new StoreRefused(`${during}: ${said}. Let what stands before ClickHouse take bodies of 64 MiB and more`)
  return new StoreAway(`${during}: the answer is not ClickHouse's: ${said}`, { reason: 'NOT_CLICKHOUSE' satisfies OwnReason })
}

/** Without the markup of an error page, and not longer than a line. */
function plain(body: string): string {
  const text = body
    .slice(0, 4_000)
    .replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function ownReason(error: unknown): OwnReason {
  const { code, message = '' } = error as { code?: unknown; message?: string }
  if (code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'CONNECTION_REFUSED'
  if (code === 'ETIMEDOUT' || isTimeout(error) || /aborted a request/i.test(message)) return 'NO_ANSWER'
  if (typeof code === 'string' || /^(aborted|socket hang up|premature close)$/i.test(message)) return 'CONNECTION_BROKEN'
  return 'NOT_CLICKHOUSE'
}

/** Some of Node's network errors have a code and an empty message. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { code?: unknown }
  if (error.message !== '') return plain(error.message)
  return typeof code === 'string' ? code : error.name
}
