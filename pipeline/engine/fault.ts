// What goes wrong in a request, with ClickHouse's code and the HTTP status that its server answers with.

export class Fault extends Error {
  override name = 'Fault'
  readonly code: number
  readonly status: number

  /** `text`: as ClickHouse words it, with or without `Code: N. DB::Exception:` before and `(NAME)` behind. */
  constructor(code: number, text: string, name?: string) {
    super(text.startsWith('Code:') ? text : `Code: ${code}. DB::Exception: ${text} (${name ?? 'UNKNOWN_EXCEPTION'})`)
    this.code = code
    this.status = statusOf(code)
  }
}

/** After ClickHouse's own table of codes and statuses; whatever is not in it is 500. */
const statuses: readonly (readonly [status: number, codes: readonly number[]])[] = [
  [401, [194]], // REQUIRED_PASSWORD
  [403, [192, 193, 291, 497, 516]], // UNKNOWN_USER, WRONG_PASSWORD, DATABASE_ACCESS_DENIED, ACCESS_DENIED, AUTHENTICATION_FAILED
  // CANNOT_PARSE_* and other wrong arguments, types and syntax
  [
    400,
    [6, 15, 20, 25, 26, 27, 32, 33, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 190, 223, 376, 441, 456, 457, 467, 675, 676],
  ],
  [404, [16, 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 141]], // UNKNOWN_*, NO_SUCH_COLUMN_IN_TABLE
  [408, [159]], // TIMEOUT_EXCEEDED
  [413, [307]], // TOO_MANY_BYTES
  [501, [48]], // NOT_IMPLEMENTED
  [503, [209, 439]], // SOCKET_TIMEOUT, CANNOT_SCHEDULE_TASK
]
const statusByCode = new Map(statuses.flatMap(([status, codes]) => codes.map((code) => [code, status] as const)))

function statusOf(code: number): number {
  return statusByCode.get(code) ?? 500
}

/** Whatever was thrown, as a Fault: the engine's message carries its code. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error
  const text = (error instanceof Error ? error.message : String(error)).replace(/^Query failed: /, '')
  // The engine wraps an exception in itself; the outer one says the same, twice.
  const inner = /^Code: \d+\. DB::Exception: (?=Code: \d+\. DB::Exception: )/.exec(text)
  const message = inner === null ? text : text.slice(inner[0].length)
  const code = /^Code: (\d+)/.exec(message)
  if (code !== null) return new Fault(Number(code[1]), message)
  // node: no space left where a body was being spooled
  if ((error as { code?: string }).code === 'ENOSPC') return faults.notEnoughSpace(`No space for the request's body: ${message}`)
  return new Fault(1002, message)
}

export const faults = {
  wrongCredentials: () =>
    new Fault(516, 'Authentication failed: password is incorrect, or there is no user with such name.', 'AUTHENTICATION_FAILED'),
  notImplemented: (what: string) => new Fault(48, what, 'NOT_IMPLEMENTED'),
  accessDenied: (what: string) => new Fault(497, what, 'ACCESS_DENIED'),
  readOnly: (what: string) => new Fault(164, what, 'READONLY'),
  syntax: (what: string) => new Fault(62, what, 'SYNTAX_ERROR'),
  badArguments: (what: string) => new Fault(36, what, 'BAD_ARGUMENTS'),
  tooLarge: (what: string) => new Fault(307, what, 'TOO_MANY_BYTES'),
  notEnoughSpace: (what: string) => new Fault(243, what, 'NOT_ENOUGH_SPACE'),
  tooManyQueries: (what: string) => new Fault(202, what, 'TOO_MANY_SIMULTANEOUS_QUERIES'),
  missingParameter: (name: string) => new Fault(456, `Substitution \`${name}\` is not set.`, 'UNKNOWN_QUERY_PARAMETER'),
  stopping: () => new Fault(236, 'The engine is stopping.', 'ABORTED'),
} as const
