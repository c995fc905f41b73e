// The cells of a KPI: every value of every dimension, numbered one after the other, so that a set of cells is a few words of bits.
import { platforms } from '../../schemas/behavior-batch.ts'
import { cellDimensions, type CellDimension } from '../../schemas/tables/kpi-deltas.ts'
import { tiers } from '../../schemas/tiers.ts'
import type { Dictionary } from '../users/dictionary.ts'

export type ListedDimension = 'channel' | 'region' | 'app_version' | 'category' | 'surface'
export type KpiDictionaries = Readonly<Record<ListedDimension, Dictionary>>
type Dimension = Exclude<CellDimension, 'clock'>

export type Cell = {
  /** Place in `cellDimensions`. */
  readonly dimension: number
  readonly value: string
}

export type Cells = {
  readonly list: readonly Cell[]
  /** Number of a dimension's first cell; its values follow in the order of their codes. */
  readonly first: Readonly<Record<Dimension, number>>
  /** 32-bit words that hold a bit for every cell. */
  readonly words: number
  /** Of each cell a number for state at rest: the same when a list grows behind its end, which moves the cells' own numbers. */
  readonly stable: Int32Array
  /** The cell of each stable number, −1 where no list has it. Beyond its end none has. */
  readonly ofStable: Int32Array
}

export function kpiCells(dictionaries: KpiDictionaries): Cells {
  const names: Record<Dimension, readonly string[]> = {
    all: [''], platform: platforms, channel: dictionaries.channel.names, region: dictionaries.region.names,
    app_version: dictionaries.app_version.names, category: dictionaries.category.names, surface: dictionaries.surface.names, tier: tiers,
  } // prettier-ignore
  const list: Cell[] = []
  const stable: number[] = []
  const first = {} as Record<Dimension, number>
  for (const [name, values] of Object.entries(names) as [Dimension, readonly string[]][]) {
    first[name] = list.length
    const dimension = cellDimensions.indexOf(name)
    const otherCode = name in dictionaries ? dictionaries[name as ListedDimension].otherCode : -1
    for (const [code, value] of values.entries()) {
      list.push({ dimension, value })
      stable.push(dimension + 8 * (code === otherCode ? 0 : code + 1))
    }
  }
  const ofStable = new Int32Array(Math.max(...stable) + 1).fill(-1)
  stable.forEach((number, cell) => (ofStable[number] = cell))
  return { list, first, words: (list.length + 31) >>> 5, stable: Int32Array.from(stable), ofStable }
}
