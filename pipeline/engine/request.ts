// What a request of ClickHouse's HTTP interface asks for, read from its URL and headers.
import type { IncomingHttpHeaders } from 'node:http'
import { faults } from './fault.ts'

export type Credentials = { user: string; password: string }

export type EngineRequest = {
  path: string
  method: string
  credentials: Credentials
  queryId: string | undefined
  database: string | undefined
  /** The statement, or its beginning: the body follows it. */
  query: string
  defaultFormat: string | undefined
  settings: (readonly [name: string, value: string])[]
  params: (readonly [name: string, value: string])[]
  /** Nothing is sent before the statement has ended. */
  waitEndOfQuery: boolean
  compressResponse: boolean
  /** The client speaks of itself as of this revision of the native protocol (clickhouse-go does). */
  protocolVersion: number | undefined
}

/** URL parameters and settings that are about the transport: they have no meaning to the engine. */
const transport: ReadonlySet<string> = new Set([
  'query', 'database', 'user', 'password', 'quota_key', 'query_id', 'default_format', 'client_protocol_version', 'wait_end_of_query', 'buffer_size',
  'stacktrace', 'send_progress_in_http_headers', 'http_response_buffer_size', 'http_headers_progress_interval_ms', 'enable_http_compression',
  'http_zlib_compression_level', 'add_http_cors_header', 'cancel_http_readonly_queries_on_client_close', 'http_write_exception_in_output_format',
  'http_response_headers', 'session_timeout', 'session_check', 'close_session', 'log_comment', 'log_queries',
]) // prettier-ignore

const unsupported: ReadonlyMap<string, string> = new Map([
  ['session_id', 'Sessions (session_id) are not kept by the embedded engine: send settings and parameters with each request.'],
  ['role', 'The embedded engine has no roles.'],
  ['decompress', "decompress=1 (ClickHouse's own compressed frames) is not supported: use Content-Encoding."],
  ['compress', "compress=1 (ClickHouse's own compressed frames) is not supported: use Accept-Encoding and enable_http_compression=1."],
])

const settingName = /^[a-z_][a-z0-9_]*$/i
const paramName = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Throws a Fault where something is asked for that cannot be had. */
export function readRequest(method: string, target: string, headers: IncomingHttpHeaders): EngineRequest {
  const url = new URL(target, 'http://engine')
  const search = url.searchParams
  const settings: [string, string][] = []
  const params: [string, string][] = []
  for (const [name, value] of search) {
    const refusal = unsupported.get(name)
    if (refusal !== undefined && value !== '' && value !== '0') throw faults.notImplemented(refusal)
    if (refusal !== undefined || transport.has(name)) continue
    if (name.startsWith('param_')) params.push(paramOf(name, value))
    else if (settingName.test(name)) settings.push([name, value])
    else throw faults.badArguments(`"${name}" is no name of a setting`)
  }
  const protocol = search.get('client_protocol_version')
  return {
    path: url.pathname,
    method,
    credentials: credentialsOf(search, headers),
    queryId: search.get('query_id') || headerOf(headers, 'x-clickhouse-query-id'),
    database: search.get('database') || headerOf(headers, 'x-clickhouse-database'),
    query: search.get('query') ?? '',
    defaultFormat: search.get('default_format') || headerOf(headers, 'x-clickhouse-format'),
    settings,
    params,
    waitEndOfQuery: isOn(search.get('wait_end_of_query')),
    compressResponse: isOn(search.get('enable_http_compression')) && /\bgzip\b/.test(headerOf(headers, 'accept-encoding') ?? ''),
    protocolVersion: protocol === null ? undefined : Number(protocol),
  }
}

/** `name` begins with `param_`. */
export function paramOf(name: string, value: string): [name: string, value: string] {
  const bare = name.slice('param_'.length)
  if (!paramName.test(bare)) throw faults.badArguments(`"${bare}" is no name of a parameter`)
  return [bare, value]
}

function credentialsOf(search: URLSearchParams, headers: IncomingHttpHeaders): Credentials {
  const user = headerOf(headers, 'x-clickhouse-user')
  if (user !== undefined) return { user, password: headerOf(headers, 'x-clickhouse-key') ?? '' }
  const basic = /^basic\s+([A-Za-z0-9+/=]+)\s*$/i.exec(headers.authorization ?? '')
  if (basic !== null) {
    const [, name = '', password = ''] = /^([^:]*):?(.*)$/s.exec(Buffer.from(basic[1]!, 'base64').toString()) ?? []
    return { user: name, password }
  }
  return { user: search.get('user') ?? 'default', password: search.get('password') ?? '' }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return (Array.isArray(value) ? value[0] : value) || undefined
}

function isOn(value: string | null): boolean {
  return value === '1' || value === 'true'
}
