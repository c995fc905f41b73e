// Forgets the tokens of inserts that are not there. A table writes an insert's token into its deduplication log before the part gets its name, and syncs
// neither: ended between the two, or by a power cut, it would know the token, take the retry for a duplicate, and lose the rows.
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { syncDirectory } from '../durable-directory.ts'

/** To be called while no engine has the directory. Returns how many tokens it forgot. */
export function forgetLostInserts(directory: string): number {
  const store = join(directory, 'store')
  if (!existsSync(store)) return 0
  let forgotten = 0
  for (const prefix of readdirSync(store)) {
    for (const table of readdirSync(join(store, prefix))) {
      const logs = join(store, prefix, table, 'deduplication_logs')
      if (!existsSync(logs)) continue
      const parts = readdirSync(join(store, prefix, table)).flatMap((name) => partOf(name) ?? [])
      for (const name of readdirSync(logs).filter((name) => name.endsWith('.txt'))) forgotten += mend(logs, name, parts)
    }
  }
  return forgotten
}

type Part = { partition: string; from: number; to: number }

/** A part's directory, `partition_from_to_level` and perhaps `_mutation`; undefined for other names, such as `tmp_insert_…`. */
function partOf(name: string): Part | undefined {
  const found = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/.exec(name)
  return found === null ? undefined : { partition: found[1]!, from: Number(found[2]), to: Number(found[3]) }
}

/** Of additions (`1 part token`) only those stay whose part, or one that it was merged into, is there; of a torn line nothing. */
function mend(directory: string, name: string, parts: readonly Part[]): number {
  const path = join(directory, name)
  const lines = readFileSync(path, 'latin1').split('\n')
  const isThere = ({ partition, from, to }: Part) =>
    parts.some((part) => part.partition === partition && part.from <= from && part.to >= to)
  const kept = lines.filter((line, i) => {
    const [operation, part, token] = line.split('\t')
    if (i === lines.length - 1 || token === undefined || token === '') return false
    const added = partOf(part!)
    return operation === '2' || (operation === '1' && added !== undefined && isThere(added))
  })
  const text = kept.map((line) => `${line}\n`).join('')
  if (text === lines.join('\n')) return 0
  const draft = `${path}.draft`
  writeFileSync(draft, text, { encoding: 'latin1', flush: true })
  renameSync(draft, path)
  syncDirectory(directory)
  return lines.filter((line) => line !== '').length - kept.length
}
