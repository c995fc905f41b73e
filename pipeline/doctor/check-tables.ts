// Checks of the topic's tables and views: are they there and of the program's form, and do they remember tokens.
import { columnsOf } from '../../schemas/ddl.ts'
import type { Table } from '../../schemas/table.ts'
import { blockTables, signalBlockTables, signalTables, tables } from '../../schemas/tables/catalogue.ts'
import { columnDiffers, engineOf, schemaVersion, sortedBy } from '../adapters/clickhouse-form.ts'
import type { StoreFacts, TableFacts } from './facts.ts'
import { findingsOf, onTopic, type Finding } from './finding.ts'

/** Fewer blocks than this, and a retry, or an owner that wakes up late, can come after its token is forgotten. */
export const leastWindow = 1_000

/** Those that the topic's blocks go to. */
export const blockTablesOf = ({ of }: Pick<StoreFacts, 'of'>): readonly Table[] => (of === 'signals' ? signalBlockTables : blockTables)

export function checkTables(facts: StoreFacts): Finding[] {
  const say = findingsOf('store', 'table', 'an insert into another form stops its partition')
  if ('unknown' in facts.tables) return [say.unchecked(facts.tables.unknown)]
  const all = facts.tables.value
  const ours = new Map(all.filter(({ database }) => database === facts.database).map((table) => [table.name, table]))
  if (ours.size === 0) return [say.warning('there is none yet', migrate(facts), facts.database)]
  const wantedTables = facts.of === 'signals' ? signalTables : tables
  const found = wantedTables.map((wanted) => checkForm(facts, wanted, ours.get(wanted.name)))
  const base = wantedTables.flatMap((wanted) => {
    const table = ours.get(wanted.name)
    return table === undefined ? [] : [baseOf(table, all)]
  })
  const baseOfBlocks = base.filter((table) =>
    blockTablesOf(facts).some(({ name }) => table.name === name || table.name === `${name}_local`),
  )
  return [
    ...found,
    ...checkSchemaVersion(facts),
    ...checkViews(facts, ours),
    ...baseOfBlocks.map((table) => checkWindow(facts, table)),
    ...checkBehindViews(facts, baseOfBlocks, all),
  ]
}

const migrate = ({ topic }: StoreFacts) => onTopic('migrate', topic)

function checkForm(facts: StoreFacts, wanted: Table, found: TableFacts | undefined): Finding {
  const say = findingsOf('store', 'table', 'an insert into another form stops its partition')
  if (found === undefined) return say.problem('is missing', migrate(facts), wanted.name)
  const elsewhere = 'rename the table, run reelpulse migrate, and copy what can be copied; or process the topic anew'
  const isCluster = found.engine === 'Distributed'
  if (!isCluster && found.engine.replace(/^(Replicated|Shared)/, '') !== engineOf(wanted))
    return say.problem(`is of engine ${found.engine}, want ${engineOf(wanted)}`, elsewhere, wanted.name)
  if (!isCluster && sortedBy(found.sortingKey) !== wanted.orderBy.join(', '))
    return say.problem(`is ordered by (${found.sortingKey}), want (${wanted.orderBy.join(', ')})`, elsewhere, wanted.name)
  if (!isCluster && found.partitionKey !== wanted.partitionBy)
    return say.problem(
      `is partitioned by ${found.partitionKey || 'nothing'}, want ${wanted.partitionBy}: a block's part may not be atomic`,
      elsewhere,
      wanted.name,
    )
  if ('unknown' in facts.columns) return say.unchecked(facts.columns.unknown, wanted.name)
  const types = new Map(facts.columns.value.filter(({ table }) => table === wanted.name).map(({ name, type }) => [name, type]))
  const missing: string[] = []
  const wrong: string[] = []
  for (const column of columnsOf(wanted)) {
    const type = types.get(column.name)
    const differs = type === undefined ? 'missing' : columnDiffers(type, column.type)
    if (differs === 'missing' || differs === 'extend') missing.push(column.name)
    else if (differs === 'wrong') wrong.push(`${column.name} is ${type}, want ${column.type}`)
  }
  if (wrong.length > 0) return say.problem(wrong.slice(0, 3).join('; '), elsewhere, wanted.name)
  if (missing.length > 0)
    return say.problem(`lacks columns, or symbols of them: ${missing.slice(0, 8).join(', ')}`, migrate(facts), wanted.name)
  return say.ok(`${found.engine}, ${types.size} columns`, wanted.name)
}

function checkSchemaVersion(facts: StoreFacts): Finding[] {
  const say = findingsOf('store', 'schema version', 'an older program would misread what a newer one stores')
  if ('unknown' in facts.schemaVersion) return [say.warning(`cannot be read: ${facts.schemaVersion.unknown}`, migrate(facts))]
  const { value } = facts.schemaVersion
  if (value > schemaVersion) return [say.problem(`${value}, this program knows ${schemaVersion}`, 'run the newer program')]
  if (value < schemaVersion) return [say.warning(`${value}, this program makes ${schemaVersion}`, migrate(facts))]
  return [say.ok(`${value}`)]
}

function checkViews(facts: StoreFacts, ours: ReadonlyMap<string, TableFacts>): Finding[] {
  const say = findingsOf('store', 'view', 'boards and people read views')
  return facts.views.map(({ name, error }) => {
    const found = ours.get(name)
    if (found === undefined) return say.problem('is missing', migrate(facts), name)
    if (error !== undefined) return say.problem(`does not answer: ${error}`, migrate(facts), name)
    return say.ok('answers', name)
  })
}

/** What a Distributed table writes to, else the table itself. */
function baseOf(table: TableFacts, all: readonly TableFacts[]): TableFacts {
  const to = /^Distributed\('[^']*', '([^']*)', '([^']*)'/.exec(table.engineFull)
  if (to === null) return table
  return all.find(({ database, name }) => database === to[1] && name === to[2]) ?? table
}

const isMergeTree = ({ engine }: TableFacts) => engine.endsWith('MergeTree')
const isReplicated = ({ engine }: TableFacts) => engine.startsWith('Replicated') || engine.startsWith('Shared')
const quoted = ({ database, name }: TableFacts) =>
  [database, name].map((part) => (/^[A-Za-z_]\w*$/.test(part) ? part : `\`${part}\``)).join('.')

/** The table's own setting, else the server's. */
export function settingOf(facts: Pick<StoreFacts, 'defaults'>, table: TableFacts, name: string): string | undefined {
  const own = new RegExp(`\\b${name} = '?([^,' ]+)`).exec(table.engineFull)?.[1]
  return own ?? ('value' in facts.defaults ? facts.defaults.value[name] : undefined)
}

/** Undefined: not known. */
function windowOf(facts: StoreFacts, table: TableFacts): { name: string; blocks: number | undefined } {
  const name = isReplicated(table) ? 'replicated_deduplication_window' : 'non_replicated_deduplication_window'
  const value = settingOf(facts, table, name)
  return { name, blocks: value === undefined ? undefined : Number(value) }
}

function judgeWindow(facts: StoreFacts, table: TableFacts, say: ReturnType<typeof findingsOf>, name: string): Finding {
  if (!isMergeTree(table)) return say.unchecked(`is of engine ${table.engine}, whose windows lie elsewhere`, name)
  const window = windowOf(facts, table)
  const fix = `ALTER TABLE ${quoted(table)} MODIFY SETTING ${window.name} = 10000`
  if (window.blocks === undefined) return say.unchecked(`the server does not tell ${window.name}`, name)
  const found = `${window.name} is ${window.blocks}`
  if (window.blocks === 0) return say.problem(`${found}: a retried insert doubles its rows`, fix, name)
  return window.blocks < leastWindow ? say.warning(`${found} blocks, few`, fix, name) : say.ok(found, name)
}

function checkWindow(facts: StoreFacts, table: TableFacts): Finding {
  const say = findingsOf('store', 'deduplication', 'an insert whose answer is lost is sent again')
  return judgeWindow(facts, table, say, table.name)
}

/** Every insert into `tables` goes through their materialized views, and theirs, into tables that are somebody else's. */
function checkBehindViews(facts: StoreFacts, tables: readonly TableFacts[], all: readonly TableFacts[]): Finding[] {
  const say = findingsOf('store', 'deduplication behind a view', 'a retried insert goes through the view again')
  const byName = new Map(all.map((table) => [`${table.database}.${table.name}`, table]))
  const found: Finding[] = []
  const seen = new Set<string>()
  const waiting = [...tables]
  for (let source = waiting.pop(); source !== undefined; source = waiting.pop()) {
    for (const dependant of source.dependants) {
      const view = byName.get(dependant)
      // One that is refreshed reads the whole, and is given nothing at an insert.
      if (view?.engine !== 'MaterializedView' || / REFRESH (EVERY|AFTER) /.test(view.create) || seen.has(dependant)) continue
      seen.add(dependant)
      const target = byName.get(targetOf(view))
      const name = `${dependant} to ${targetOf(view)}`
      if (target === undefined) found.push(say.unchecked('its target cannot be seen', name))
      else {
        const base = baseOf(target, all)
        found.push(judgeWindow(facts, base, say, name))
        waiting.push(base)
      }
    }
  }
  return found
}

/** `database.table` that a materialized view writes to. */
export function targetOf(view: Pick<TableFacts, 'database' | 'name' | 'uuid' | 'create'>): string {
  const part = '(?:`((?:[^`\\\\]|\\\\.)*)`|([\\w]+))'
  const named = new RegExp(`^CREATE MATERIALIZED VIEW ${part}\\.${part}.*? TO ${part}\\.${part}`).exec(view.create.split('(')[0]!)
  if (named !== null) return `${named[5] ?? named[6]}.${named[7] ?? named[8]}`
  const inner = view.uuid === '00000000-0000-0000-0000-000000000000' ? `.inner.${view.name}` : `.inner_id.${view.uuid}`
  return `${view.database}.${inner}`
}
