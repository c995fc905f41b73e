// In what a table that was found may differ from the program's form: `migrate` brings it to that, `doctor` tells.
import type { Table } from '../../schemas/table.ts'

/** Raised whenever a program of an older version would misread, or wrongly write, what a newer one stores. */
export const schemaVersion = 1

export const engineOf = (table: Table): string => (table.engine.kind === 'latest' ? 'ReplacingMergeTree' : 'MergeTree')

/** A sorting key as the table says it, without quotes and brackets. */
export const sortedBy = (sortingKey: string): string => sortingKey.replace(/[`()]/g, '')

/** `extend`: an enumeration that lacks only new symbols. */
export function columnDiffers(found: string, wanted: string): 'same' | 'extend' | 'wrong' {
  if (plainType(found) === plainType(wanted)) return 'same'
  return extendsEnum(found, wanted) ? 'extend' : 'wrong'
}

function plainType(type: string): string {
  return type.replace(/[`\s]/g, '')
}

/** Both are enumerations (or may be null), and every symbol kept its code: only new ones came. */
export function extendsEnum(from: string, to: string): boolean {
  const shape = /^(Nullable\()?Enum8\((.*?)\)\)?$/s
  const [old, wanted] = [shape.exec(from), shape.exec(to)]
  if (old === null || wanted === null || old[1] !== wanted[1]) return false
  const pairs = (list: string) => list.match(/'(?:[^'\\]|\\.)*' = -?\d+/g) ?? []
  const known = new Set(pairs(wanted[2]!))
  return pairs(old[2]!).every((pair) => known.has(pair))
}
