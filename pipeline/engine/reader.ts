// What the read-only user may ask for. The engine upholds readonly=1; what it lets through there all the same is refused here.
import { faults } from './fault.ts'
import type { Statement } from './statement.ts'

export const readerLimits = {
  max_execution_time: '60',
  max_memory_usage: String(2 ** 30),
  max_result_rows: '5000000',
  max_result_bytes: String(2 ** 28),
  max_rows_to_group_by: '20000000',
} as const

/** Table functions that make rows from nothing, or from tables. All others reach out of the engine. */
const harmlessTableFunctions: ReadonlySet<string> = new Set([
  'format', 'generaterandom', 'generateseries', 'generate_series', 'mergetreeindex', 'null', 'numbers', 'numbers_mt', 'primes', 'values', 'view',
  'zeros', 'zeros_mt',
]) // prettier-ignore
/** Functions that read files of this machine, or ask others. */
const outreachingFunctions: ReadonlySet<string> = new Set(['file', 'catboostevaluate', 'hascolumnintable'])

const harmlessSetting =
  /^(output_format_\w+|date_time_output_format|format_\w+|join_use_nulls|extremes|session_timezone|max_block_size|max_threads|readonly|use_query_cache)$/

/** Throws a Fault. */
export function checkReader(statement: Statement, tableFunctions: ReadonlySet<string>): void {
  if (!statement.reads)
    throw faults.readOnly('Cannot execute query in readonly mode: this user may SELECT, SHOW, DESCRIBE, EXPLAIN and EXISTS.')
  for (const name of statement.calls) {
    if (outreachingFunctions.has(name) || (tableFunctions.has(name) && !harmlessTableFunctions.has(name)))
      throw faults.accessDenied(`This user may not call ${name}(): it can reach beyond the engine's tables.`)
  }
}

/** Settings that the read-only user may send, limits no higher than the user's own. Throws a Fault at any other. */
export function readerSettings(settings: readonly (readonly [string, string])[]): [string, string][] {
  const limits: Readonly<Record<string, string>> = readerLimits
  return settings.flatMap(([name, value]): [string, string][] => {
    if (name === 'readonly') return []
    const limit = limits[name]
    if (limit !== undefined) return [[name, Number(value) > 0 && Number(value) < Number(limit) ? value : limit]]
    if (harmlessSetting.test(name)) return [[name, value]]
    throw faults.readOnly(`Cannot modify '${name}' setting in readonly mode.`)
  })
}
