// Checks of the store itself: its version and clock, what the user may, and whether it has room and keeps up with merging.
import { blockTablesOf } from './check-tables.ts'
import { settingOf } from './check-tables.ts'
import { freeProblem, freeWarning } from './check-machine.ts'
import type { Place, StoreFacts } from './facts.ts'
import { count, findingsOf, gib, span, type Finding } from './finding.ts'

/**
 * The first in which a token deduplicates behind materialized views however an insert is cut (ClickHouse 24.7, change 61601).
 * What `verify` uses (kafkaMurmurHash) is older.
 */
const leastVersion = [24, 7] as const

const clockWarningMs = 2_000
const clockProblemMs = 60_000
const mutationPatienceMs = 3_600_000

export function checkStore(store: Place<StoreFacts>): Finding[] {
  const say = findingsOf('store', 'store', 'every figure ends up in it')
  if (store.state === 'absent')
    return [say.warning('there is none yet', 'npm start, or reelpulse process; CLICKHOUSE_URL for a server', store.where)]
  if (store.state === 'away')
    return [
      say.problem(
        `cannot be looked at: ${store.why}`,
        'start it, or correct CLICKHOUSE_URL, CLICKHOUSE_USER and CLICKHOUSE_PASSWORD',
        store.where,
      ),
    ]
  const { facts } = store
  return [
    say.ok('answers', facts.where),
    checkVersion(facts),
    checkClock(facts),
    checkGrants(facts),
    checkFsync(facts),
    checkParts(facts),
    ...checkDisks(facts),
    ...checkMutations(facts),
  ]
}

function checkVersion({ version }: StoreFacts): Finding {
  const say = findingsOf('store', 'version', 'older ones double rows behind views when an insert is sent again')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > leastVersion[0] || (major === leastVersion[0] && minor >= leastVersion[1])) return say.ok(version)
  return say.problem(`${version}, older than ${leastVersion.join('.')}`, 'upgrade the server')
}

function checkClock({ clock: { atLeastMs, atMostMs } }: StoreFacts): Finding {
  const say = findingsOf('store', 'clock', 'the store drops expired rows by its own')
  const leastApart = Math.max(0, atLeastMs, -atMostMs)
  const found = `${span(atLeastMs)} to ${span(atMostMs)} ahead of this machine`
  const fix = 'set both by NTP (chronyc tracking)'
  if (leastApart > clockProblemMs) return say.problem(found, fix)
  return leastApart > clockWarningMs ? say.warning(found, fix) : say.ok(found)
}

/** Does one of the lines of SHOW GRANTS give the right on a table? Undefined: the rights come through roles. */
export function isGranted(grants: readonly string[], right: 'SELECT' | 'INSERT', database: string, table: string): boolean | undefined {
  let throughRoles = false
  for (const line of grants) {
    const grant = /^GRANT (.*) ON (\S+) TO /.exec(line.replaceAll('`', ''))
    if (grant === null) throughRoles = true
    // Rights on single columns are not enough, and have brackets.
    else if (
      [`*.*`, `${database}.*`, `${database}.${table}`].includes(grant[2]!) &&
      grant[1]!.split(', ').some((one) => one === right || one === 'ALL')
    )
      return true
  }
  return throughRoles ? undefined : false
}

function checkGrants({ grants, database, of }: StoreFacts): Finding {
  const say = findingsOf('store', 'rights', 'an insert that is refused stops its partition')
  if ('unknown' in grants) return say.unchecked(grants.unknown)
  const missing: string[] = []
  for (const { name } of blockTablesOf({ of }))
    for (const right of ['SELECT', 'INSERT'] as const) {
      const granted = isGranted(grants.value, right, database, name)
      if (granted === undefined) return say.unchecked('they come through roles')
      if (!granted) missing.push(`${right} on ${database}.${name}`)
    }
  if (missing.length === 0) return say.ok('SELECT and INSERT on every table of a block')
  return say.problem(`no ${missing.join(', ')}`, `GRANT SELECT, INSERT ON ${database}.* TO the user in CLICKHOUSE_USER`)
}

function checkFsync(facts: StoreFacts): Finding {
  const say = findingsOf('store', 'fsync', 'what is acknowledged must outlive a power cut')
  if ('unknown' in facts.defaults) return say.unchecked(facts.defaults.unknown)
  if ('unknown' in facts.tables) return say.unchecked(facts.tables.unknown)
  const names = ['fsync_after_insert', 'fsync_part_directory']
  const ours = facts.tables.value.filter(
    ({ database, name, engine }) =>
      database === facts.database && engine.endsWith('MergeTree') && blockTablesOf(facts).some((table) => table.name === name),
  )
  if (ours.length === 0) return say.ok('no table that it is about')
  if (ours.every(({ engine }) => engine.startsWith('Replicated') || engine.startsWith('Shared')))
    return say.ok('replicas have what one loses')
  const off = ours.flatMap((table) =>
    names.filter((name) => settingOf(facts, table, name) !== '1').map((name) => `${name} of ${table.name}`),
  )
  if (off.length === 0) return say.ok('fsync_after_insert and fsync_part_directory are on')
  const found = `off: ${off.slice(0, 4).join(', ')}${off.length > 4 ? ` and ${off.length - 4} more` : ''}; a power cut can lose the newest rows`
  const fix = `ALTER TABLE ${facts.database}.<table> MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1, for each`
  // A server's owner may have chosen so; the embedded engine has both on unless somebody turned them off.
  return facts.kind === 'embedded' ? say.problem(found, fix) : say.warning(found, fix)
}

function checkParts(facts: StoreFacts): Finding {
  const say = findingsOf('store', 'parts', 'beyond a limit ClickHouse slows inserts down, and then refuses them')
  if ('unknown' in facts.parts) return say.unchecked(facts.parts.unknown)
  const most = facts.parts.value.reduce<(typeof facts.parts.value)[number] | undefined>(
    (a, b) => (a === undefined || b.parts > a.parts ? b : a),
    undefined,
  )
  if (most === undefined) return say.ok('none yet')
  const table =
    'value' in facts.tables
      ? facts.tables.value.find(({ database, name }) => database === facts.database && name === most.table)
      : undefined
  const limit = (name: string) => Number(table === undefined ? undefined : settingOf(facts, table, name))
  const [delay, refuse] = [limit('parts_to_delay_insert'), limit('parts_to_throw_insert')]
  const found = `at most ${count(most.parts)}, in partition ${most.partition} of ${most.table}`
  if (Number.isNaN(delay) || Number.isNaN(refuse)) return say.ok(found)
  const limits = `slowed down from ${count(delay)}, refused from ${count(refuse)}`
  const fix = 'see why merging is behind (system.merges, disk, SYSTEM STOP MERGES?); a larger REELPULSE_BLOCK_SPAN_S makes fewer'
  if (most.parts >= 0.9 * refuse) return say.problem(`${found}; ${limits}`, fix)
  return most.parts >= 0.5 * delay ? say.warning(`${found}; ${limits}`, fix) : say.ok(`${found}; ${limits}`)
}

function checkDisks({ disks }: StoreFacts): Finding[] {
  const say = findingsOf('store', 'disk', 'a full one refuses every insert')
  if ('unknown' in disks) return [say.unchecked(disks.unknown)]
  return disks.value.map(({ name, freeBytes, totalBytes, readOnly, broken }) => {
    const found = `${gib(freeBytes)} of ${gib(totalBytes)} free`
    const fix = 'make room, or drop partitions of old months'
    if (broken || readOnly) return say.problem(broken ? 'is broken' : 'is read-only', 'repair or mount it anew', name)
    if (freeBytes < freeProblem) return say.problem(found, fix, name)
    return freeBytes < freeWarning ? say.warning(found, fix, name) : say.ok(found, name)
  })
}

function checkMutations({ mutations, database }: StoreFacts): Finding[] {
  const say = findingsOf('store', 'mutations', 'a stuck one holds up merges, and the disk fills')
  if ('unknown' in mutations) return [say.unchecked(mutations.unknown)]
  if (mutations.value.length === 0) return [say.ok('none under way')]
  return mutations.value.map(({ table, id, ageMs, failure }) => {
    const found = `${id}, for ${span(ageMs)}`
    const fix = `KILL MUTATION WHERE database = '${database}' AND table = '${table}' AND mutation_id = '${id}', or cure its cause`
    if (failure !== '') return say.problem(`${found}: ${failure.split('\n')[0]}`, fix, table)
    return ageMs > mutationPatienceMs ? say.warning(found, fix, table) : say.ok(found, table)
  })
}
