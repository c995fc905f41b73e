// Which of ClickHouse's errors a retry may cure, and which it never will.
import { ClickHouseError } from '@clickhouse/client'
import { StoreAway, StoreRefused } from '../ports/store.ts'

/** By ClickHouse's name of the error. Whatever else a server refuses, it will refuse again: better a stop that is seen than retries for ever. */
const passing: ReadonlySet<string> = new Set([
  // The network between client and server, or between servers
  'NETWORK_ERROR', 'SOCKET_TIMEOUT', 'DNS_ERROR', 'NO_FREE_CONNECTION', 'ALL_CONNECTION_TRIES_FAILED', 'CANNOT_READ_FROM_SOCKET',
  'CANNOT_WRITE_TO_SOCKET', 'UNEXPECTED_END_OF_FILE', 'ATTEMPT_TO_READ_AFTER_EOF', 'UNEXPECTED_PACKET_FROM_CLIENT', 'UNEXPECTED_PACKET_FROM_SERVER',
  'HTTP_CONNECTION_LIMIT_REACHED', 'RECEIVED_ERROR_FROM_REMOTE_IO_SERVER', 'RECEIVED_ERROR_TOO_MANY_REQUESTS',
  // Overload
  'TIMEOUT_EXCEEDED', 'TOO_SLOW', 'TOO_MANY_SIMULTANEOUS_QUERIES', 'MEMORY_LIMIT_EXCEEDED', 'CANNOT_ALLOCATE_MEMORY', 'TOO_MANY_PARTS',
  'QUOTA_EXCEEDED', 'SERVER_OVERLOADED', 'CANNOT_SCHEDULE_TASK', 'DEADLOCK_AVOIDED', 'SESSION_IS_LOCKED', 'TOO_MANY_MUTATIONS',
  // Disks
  'NOT_ENOUGH_SPACE', 'CANNOT_OPEN_FILE', 'CANNOT_WRITE_TO_FILE_DESCRIPTOR', 'CANNOT_READ_FROM_FILE_DESCRIPTOR', 'CANNOT_FSYNC',
  'CANNOT_CLOSE_FILE', 'S3_ERROR', 'SYSTEM_ERROR',
  // Replication
  'TABLE_IS_READ_ONLY', 'NO_ZOOKEEPER', 'UNEXPECTED_ZOOKEEPER_ERROR', 'KEEPER_EXCEPTION', 'TOO_FEW_LIVE_REPLICAS',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE', 'UNKNOWN_STATUS_OF_INSERT', 'ALL_REPLICAS_ARE_STALE', 'NO_ACTIVE_REPLICAS', 'REPLICA_IS_NOT_IN_QUORUM',
  'UNFINISHED',
  // Starting, stopping, and what has no name
  'ABORTED', 'QUERY_WAS_CANCELLED', 'QUERY_WAS_CANCELLED_BY_CLIENT', 'ASYNC_LOAD_WAIT_FAILED', 'POCO_EXCEPTION', 'STD_EXCEPTION', 'UNKNOWN_EXCEPTION',
]) // prettier-ignore

/** `during`: what was being done, for the message. */
export function storeError(error: unknown, during: string): StoreRefused | StoreAway {
  if (error instanceof StoreRefused || error instanceof StoreAway) return error
  if (error instanceof ClickHouseError) {
    const message = `${during}: ${error.message.trim()} (${error.type ?? 'UNKNOWN'}, code ${error.code})`
    return passing.has(error.type ?? '') ? new StoreAway(message, { cause: error }) : new StoreRefused(message, { cause: error })
  }
  return new StoreAway(`${during}: ${reasonOf(error)}`, { cause: error })
}

/** Some of Node's network errors have a code and an empty message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = (error as { code?: unknown }).code
  if (error.message !== '') return error.message
  return typeof code === 'string' ? code : error.name
}
