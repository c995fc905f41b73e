// Forgets the tokens of inserts that are not there. A table writes an insert's token into its deduplication log before the part gets its name, and syncs
// neither: ended between the two, or by a power cut, it would know the token, take the retry for a duplicate, and lose the rows.
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../schemas/ddl.ts'
import { syncDirectory } from '../durable-directory.ts'

/** To be called before the engine takes inserts, with its lock on the directory held. `query` answers in JSON lines. */
export async function forgetLostInserts(directory: string, query: (sql: string) => Promise<string>): Promise<void> {
  for (const { uuid, path } of tablesWithTokens(directory)) {
    if (mended(path).length === 0) continue
    const [found] = (await query(`SELECT database, name FROM system.tables WHERE toString(uuid) = ${quoteText(uuid)}`)).trim().split('\n')
    if (found === undefined || found === '') continue
    const { database, name } = JSON.parse(found) as { database: string; name: string }
    const table = `${quoteName(database)}.${quoteName(name)}`
    // Detached, it neither merges nor holds its list open; attached, it reads the list anew.
    await query(`DETACH TABLE ${table} SYNC`)
    for (const { file, text } of mended(path)) {
      const draft = `${file}.draft`
      writeFileSync(draft, text, { encoding: 'latin1', flush: true })
      renameSync(draft, file)
    }
    syncDirectory(join(path, 'deduplication_logs'))
    await query(`ATTACH TABLE ${table}`)
  }
}

function* tablesWithTokens(directory: string): Generator<{ uuid: string; path: string }> {
  const store = join(directory, 'store')
  if (!existsSync(store)) return
  for (const prefix of readdirSync(store)) {
    for (const uuid of readdirSync(join(store, prefix))) {
      const path = join(store, prefix, uuid)
      if (existsSync(join(path, 'deduplication_logs'))) yield { uuid, path }
    }
  }
}

/** The table's lists that name what is not there, as they should be. */
function mended(table: string): { file: string; text: string }[] {
  const parts = readdirSync(table).flatMap((name) => partOf(name) ?? [])
  const folder = join(table, 'deduplication_logs')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .flatMap((name) => {
      const file = join(folder, name)
      const was = readFileSync(file, 'latin1')
      const text = withoutLost(was, parts)
      return text === was ? [] : [{ file, text }]
    })
}

type Part = { partition: string; from: number; to: number }

/** A part's directory, `partition_from_to_level` and perhaps `_mutation`; undefined for other names, such as `tmp_insert_…`. */
function partOf(name: string): Part | undefined {
  const found = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/.exec(name)
  return found === null ? undefined : { partition: found[1]!, from: Number(found[2]), to: Number(found[3]) }
}

/** Of additions (`1 part token`) only those stay whose part, or one that it was merged into, is there; of a torn line nothing. */
function withoutLost(text: string, parts: readonly Part[]): string {
  const isThere = ({ partition, from, to }: Part) =>
    parts.some((part) => part.partition === partition && part.from <= from && part.to >= to)
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => {
      const [operation, name, token] = line.split('\t')
      if (name === undefined || token === undefined || token === '') return false
      const added = partOf(name)
      return operation === '2' || (operation === '1' && added !== undefined && isThere(added))
    })
    .map((line) => `${line}\n`)
    .join('')
}
