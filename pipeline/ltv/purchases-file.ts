// Purchases from a CSV file → histories: what a shop has before it has this pipeline.
import type { History } from '../../operators/ltv/histories.ts'
import { lineReader } from '../import/lines.ts'
import { recordsOf } from '../import/records.ts'

const columns = ['customer', 'day', 'amount'] as const
/** What a history needs, and no more: what is finer than a fen, or larger than an amount may be, is a mistake. */
const dayForm = /^\d{4}-\d{2}-\d{2}$/
const amountForm = /^\d{1,8}(\.\d{1,2})?$/
const dayMs = 86_400_000

export type PurchasesFile = {
  readonly histories: readonly History[]
  /** Day of the last purchase, counted from 1970-01-01; undefined where there is none. */
  readonly lastDay: number | undefined
  readonly rows: number
  /** What was left out, and why. */
  readonly bad: readonly { readonly line: number; readonly because: string }[]
}

/** Throws a WrongHeader where a column is missing. */
export async function readPurchasesFile(path: string, signal?: AbortSignal): Promise<PurchasesFile> {
  const { records, cellsOf } = recordsOf({ format: 'csv', csv: { header: true, delimiter: ',' } }, columns)
  const people = new Map<string, Map<number, number>>()
  const bad: { line: number; because: string }[] = []
  let [rows, lastDay] = [0, -Infinity]
  const take = (found: ReturnType<typeof records.take>) => {
    for (const record of found) {
      rows++
      if ('bad' in record) {
        bad.push({ line: record.line, because: record.bad })
        continue
      }
      const cells = cellsOf(record.raw)
      const [customer, dayText, amountText] = columns.map((column) => cells(column)?.trim() ?? '') as [string, string, string]
      const day = dayForm.test(dayText) ? Date.parse(dayText) / dayMs : NaN
      if (customer === '') bad.push({ line: record.line, because: 'no customer' })
      else if (Number.isNaN(day) || new Date(day * dayMs).toISOString().slice(0, 10) !== dayText)
        bad.push({ line: record.line, because: `day ${JSON.stringify(dayText)}, want one such as 2026-03-31` })
      else if (!amountForm.test(amountText))
        bad.push({ line: record.line, because: `amount ${JSON.stringify(amountText)}, want one such as 199.00` })
      else {
        const amounts = people.get(customer) ?? new Map<number, number>()
        people.set(customer, amounts.set(day, (amounts.get(day) ?? 0) + minorOf(amountText)))
        lastDay = Math.max(lastDay, day)
      }
    }
  }
  for await (const lines of lineReader(path, signal).chunks()) take(records.take(lines))
  take(records.end())
  return {
    histories: [...people.values()].map((purchases) => ({ registeredDay: undefined, purchases })),
    lastDay: Number.isFinite(lastDay) ? lastDay : undefined,
    rows,
    bad,
  }
}

function minorOf(amount: string): number {
  const [whole, fraction = ''] = amount.split('.') as [string, string?]
  return Number(whole) * 100 + Number(fraction.padEnd(2, '0'))
}
