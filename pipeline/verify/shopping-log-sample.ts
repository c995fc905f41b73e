// For tests: the real shopping log where the machine has it, and a made-up one of the same shape.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Row } from '../../schemas/field.ts'
import type { shoppingLogTable } from './shopping-log.sql.ts'

export type ShoppingLogRow = Row<(typeof shoppingLogTable)['record']>

const beside = fileURLToPath(new URL('../../../shared/data/behavior/taobao_10k.csv', import.meta.url))

/** The real log's file: REELPULSE_SHOPPING_LOG, or `shared` beside the checkout. Its licence is not ours to ship it. */
export const realShoppingLog: string | undefined = [process.env['REELPULSE_SHOPPING_LOG'], beside].find(
  (path) => path !== undefined && path !== '' && existsSync(path),
)

export function readShoppingLog(path: string): ShoppingLogRow[] {
  const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line.trim() !== '') // prettier-ignore
  return lines.map((line) => {
    const [user, item, category, behavior, at] = line.trim().split(',') as [string, string, string, string, string]
    return { user: Number(user), item: Number(item), category: Number(category), behavior, at_s: Number(at) }
  })
}

/** Sorted by user, not by time, as the real one is; `random` gives numbers from [0, 1). */
export function madeShoppingLog(random: () => number, users: number, rowsPerUser: number, fromS: number, days: number): ShoppingLogRow[] {
  const below = (n: number) => Math.floor(random() * n)
  return Array.from({ length: users }, (_, i) => i).flatMap((i) =>
    Array.from({ length: 1 + below(2 * rowsPerUser) }, (): ShoppingLogRow => {
      const kind = random()
      return {
        user: 1_000 + i,
        item: below(50_000),
        category: below(500),
        behavior: kind < 0.85 ? 'pv' : kind < 0.93 ? 'cart' : kind < 0.96 ? 'fav' : 'buy',
        // Some rows share their second.
        at_s: fromS + below(days) * 86_400 + below(24) * 3_600 + below(60),
      }
    }),
  )
}

/** The file's text. */
export function shoppingLogCsv(rows: readonly ShoppingLogRow[]): string {
  return rows.map((row) => `${row.user},${row.item},${row.category},${row.behavior},${row.at_s}\n`).join('')
}
