// What the read-only user may ask for. The engine upholds readonly=1; what it lets through there all the same is refused here.
import type { ParsedRequest } from './body.ts'
import { faults } from './fault.ts'
import { oddCharacterAt } from './tokens.ts'

export const readerLimits = {
  max_execution_time: '60',
  max_memory_usage: String(2 ** 30),
  max_result_rows: '5000000',
  max_result_bytes: String(2 ** 28),
  max_rows_to_group_by: '20000000',
} as const

/** Table functions that make rows from nothing, or from what stands in their brackets. All others reach out of the database. */
const harmlessTableFunctions: ReadonlySet<string> = new Set([
  'format', 'generaterandom', 'generateseries', 'generate_series', 'null', 'numbers', 'numbers_mt', 'primes', 'values', 'view', 'zeros', 'zeros_mt',
]) // prettier-ignore
/**
 * Functions that read files, tables by a name in a string, dictionaries, models, settings, disks or memory of this machine, write its log, or ask
 * others. reader.test.ts holds the list against what the engine says of its functions.
 */
const outreachingFunctions: readonly RegExp[] = [
  /^(file|filesystem(available|capacity|unreserved)|showcertificate|logtrace|addressto\w+)$/,
  /^(joinget\w*|dict(get|has|isin)\w*|region(hierarchy|in|to\w+)|hascolumnintable|getmaxtablenamelengthfordatabase)$/,
  /^(catboostevaluate|naivebayesclassifier\w*|ai(classify|embed|extract|generate|translate))$/,
  /^(get(serversetting|mergetreesetting|serverport|macro|oskernelversion)|tcpport|serveruuid|generateserialid|zookeepersessionuptime)$/,
]

/** What tells of tables and of the language, and of nobody's data or queries: data sources list tables and columns with these. */
const harmlessSystemTables: ReadonlySet<string> = new Set([
  'columns', 'data_type_families', 'databases', 'formats', 'functions', 'keywords', 'numbers', 'numbers_mt', 'one', 'settings', 'table_engines',
  'table_functions', 'tables', 'time_zones', 'zeros', 'zeros_mt',
]) // prettier-ignore
/** Views of the same. */
const informationSchema = /^information_schema$/i

const harmlessSetting = /^(output_format_\w+|date_time_output_format|format_\w+|join_use_nulls|extremes|session_timezone)$/
/** What the reader may send up to here, but has not to begin with. */
const mayBeSet = { max_threads: '16', max_block_size: '65536' }
const limits = new Map<string, string>(Object.entries({ ...readerLimits, ...mayBeSet }))
/** They name files to read and to write. */
const fileSetting = /schema|template/

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Whether the reader may read a database. `databases` undefined: any that a topic has (databaseOf). */
export function readableDatabase(databases: readonly string[] | undefined): (name: string) => boolean {
  return (name) => databases?.includes(name) ?? /^reelpulse(_|$)/.test(name)
}

/**
 * Throws a Fault. Returns the names that must not be of a database: what stands before a dot is one, or an alias, which only the engine can tell.
 */
export function checkReader(
  { sql, statement, params }: Pick<ParsedRequest, 'sql' | 'statement' | 'params'>,
  tableFunctions: ReadonlySet<string>,
  readable: (database: string) => boolean,
): string[] {
  if (!statement.reads)
    throw faults.readOnly('Cannot execute query in readonly mode: this user may SELECT, SHOW, DESCRIBE, EXPLAIN and EXISTS.')
  checkCharacters(sql)
  if (statement.escapedName) throw faults.accessDenied('This user may not write a name with a backslash in it.')
  const identifiers = params.filter(([name]) => statement.identifiers.has(name)).map(([, value]) => value)
  const odd = identifiers.find((value) => !plainName.test(value))
  if (odd !== undefined) throw faults.accessDenied(`This user may give only plain names as parameters of type Identifier, not "${odd}".`)
  const given = new Set(identifiers.map((value) => value.toLowerCase()))
  const outreaching =
    [...statement.names, ...given].find((name) => outreachingFunctions.some((some) => some.test(name))) ??
    [...statement.calls].find((name) => tableFunctions.has(name) && !harmlessTableFunctions.has(name))
  if (outreaching !== undefined) throw faults.accessDenied(`This user may not call ${outreaching}(): it can reach beyond the tables.`)
  // Of all who are at work, with what they ask for.
  if (statement.kind === 'show' && statement.names.has('processlist')) throw faults.accessDenied('This user may not SHOW PROCESSLIST.')
  // Of a byte string; see tokens.ts.
  const utf8 = (name: string) => Buffer.from(name, 'latin1').toString()
  const pairs: readonly (readonly [string, string])[] = [
    ...statement.dotted.map(([before, after]) => [utf8(before), utf8(after)] as const),
    ...identifiers.map((name) => [name, ''] as const),
  ]
  for (const [before, after] of pairs)
    if (before === 'system' && !harmlessSystemTables.has(after))
      throw faults.accessDenied(`This user may not read system.${after}: of system, tables and columns and what describes the language.`)
  return [...new Set(pairs.map(([name]) => name))].filter((name) => name !== 'system' && !informationSchema.test(name) && !readable(name))
}

/** Which other characters count as blanks or quotes is the engine's to say, and more may come: in none of them may a name or a dot be hidden. */
function checkCharacters(sql: Buffer): void {
  const at = oddCharacterAt(sql.toString('latin1'))
  if (at === undefined) return
  const [odd] = sql.subarray(at, at + 4).toString()
  const code = odd!.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')
  const before = sql
    .subarray(Math.max(0, at - 30), at)
    .toString()
    .trimStart()
  throw faults.accessDenied(
    `This user may write only ASCII outside quotes ('…', "…", \`…\`) and comments: U+${code} stands at position ${at + 1}, behind "${before}". Put a plain blank or quote there.`,
  )
}

export function foreignDatabase(name: string, databases: readonly string[] | undefined): Error {
  const own = databases === undefined ? 'those of topics (reelpulse, reelpulse_…)' : databases.join(', ')
  return faults.accessDenied(`This user may not read database "${name}". Databases that it may read: ${own}.`)
}

/**
 * Settings that the read-only user may send. Throws a Fault at any other, and at a limit above the user's own; but drivers send a time limit of
 * their own with every query, and a longer one becomes the user's.
 */
export function readerSettings(settings: readonly (readonly [string, string])[]): [string, string][] {
  return settings.flatMap(([name, value]): [string, string][] => {
    if (name === 'readonly') {
      if (value === '0') throw faults.readOnly("Cannot modify 'readonly' setting in readonly mode.")
      return []
    }
    const limit = limits.get(name)
    if (limit !== undefined) {
      const within = /^\d+(\.\d+)?$/.test(value) && Number(value) > 0 && Number(value) <= Number(limit)
      if (!within && name !== 'max_execution_time')
        throw faults.readOnly(`Setting ${name} should be greater than 0 and not greater than ${limit}: it is ${value}.`)
      return [[name, within ? value : limit]]
    }
    if (harmlessSetting.test(name) && !fileSetting.test(name)) return [[name, value]]
    throw faults.readOnly(`Cannot modify '${name}' setting in readonly mode.`)
  })
}
