// Under which value a dimension counts: its own where the configured list has it, else `other`.
import { other, type DimensionLists } from '../settings.ts'

export function countedAs(lists: DimensionLists, dimension: keyof DimensionLists, value: string): string {
  return lists[dimension].includes(value) ? value : other
}
